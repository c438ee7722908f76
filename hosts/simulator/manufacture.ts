import { DocumentStore } from "../../src/config/document-store.ts";
import { toHex } from "../../src/image/hex.ts";
import type { KeyValue } from "../../src/ports/board.ts";
import { type TlsCredentials, writeCredentials } from "../../src/tls/credentials.ts";
import { trustDocumentBytesMax, trustDocuments } from "../../src/trust/metadata-store.ts";
import { identityKey } from "../../src/update/settings.ts";
import type { BoardStorage } from "./board/board-host.ts";
import { bootloaderProgram, recordOf } from "./boot/bootloader-program.ts";
import { sluiceConfig } from "./boot/sluice-config.ts";
import { NorFlash } from "./flash/nor-flash.ts";
import type { DeviceLayout } from "./layout.ts";
import { mountBoardStorage } from "./storage/board-storage.ts";

/** What enrolment writes into a device: who it is, whom it asks, whose images it takes. */
export interface Enrolment {
  readonly serverUrl: string;
  readonly tenant: string;
  readonly deviceId: string;
  readonly token: string;
  readonly hardware: string;
  /** Uncompressed P-256 points, 65 bytes. */
  readonly imageKeys: readonly Uint8Array[];
  /** What a device needs for a server that is reached over https. */
  readonly tls?: TlsCredentials;
  /** The first root of signed metadata; a device that has one installs nothing without it. */
  readonly trustRoot?: Uint8Array;
}

/**
 * The flash of a device as it leaves the factory: what the bootloader says of itself, a signed image in the primary
 * slot, the identity in the storage.
 */
export function manufacture(
  layout: DeviceLayout,
  image: Uint8Array,
  enrolment: Enrolment,
): NorFlash {
  const flash = new NorFlash({ sizeBytes: layout.flashBytes, writeBlockBytes: 4 });
  const primary = flash.area(layout.primary.offset, layout.primary.size);
  const padded = new Uint8Array(Math.ceil(image.length / 4) * 4).fill(0xff);
  padded.set(image);
  primary.write(0, padded);
  if (layout.boot !== null) {
    const algorithm = "ecdsa-p256" as const;
    const keys = enrolment.imageKeys.map((publicKey) => ({ algorithm, publicKey }));
    const program = bootloaderProgram(recordOf(sluiceConfig(layout, keys), flash.writeBlockBytes));
    flash.area(layout.boot.offset, layout.boot.size).write(0, program);
  }
  const storage = mountBoardStorage(flash.area(layout.storage.offset, layout.storage.size));
  enroll(storage, enrolment);
  return flash;
}

/** Writes the identity and, if there are any, the credentials for https and the first root. */
export function enroll(storage: BoardStorage, enrolment: Enrolment): void {
  storage.write(`sluice/${identityKey}`, encodeEnrolment(enrolment));
  if (enrolment.tls !== undefined) writeCredentials(ownKeys(storage), enrolment.tls);
  if (enrolment.trustRoot !== undefined) {
    const options = { bytesMax: trustDocumentBytesMax.root };
    new DocumentStore(ownKeys(storage), trustDocuments.root, options).write(enrolment.trustRoot);
  }
}

/** The names that the firmware sees below its own path. */
function ownKeys(storage: BoardStorage): KeyValue {
  return {
    read: (key) => storage.read(`sluice/${key}`),
    write: (key, value) => storage.write(`sluice/${key}`, value),
    delete: (key) => storage.delete(`sluice/${key}`),
  };
}

/** The form that `readIdentity` of the firmware reads. */
export function encodeEnrolment(enrolment: Enrolment): Uint8Array {
  const { serverUrl, tenant, deviceId, token, hardware, imageKeys } = enrolment;
  const identity = {
    server: serverUrl,
    tenant,
    id: deviceId,
    token,
    hardware,
    imageKeys: imageKeys.map((key) => toHex(key)),
    ...(enrolment.trustRoot !== undefined && { trust: "tuf" }),
  };
  return new TextEncoder().encode(JSON.stringify(identity));
}
