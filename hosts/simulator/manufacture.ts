import { toHex } from "../../src/image/hex.ts";
import { identityKey } from "../../src/update/settings.ts";
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
}

/** The flash of a device as it leaves the factory: a signed image in the primary slot, its identity in the storage. */
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
  const storage = mountBoardStorage(flash.area(layout.storage.offset, layout.storage.size));
  storage.write(`sluice/${identityKey}`, encodeEnrolment(enrolment));
  return flash;
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
  };
  return new TextEncoder().encode(JSON.stringify(identity));
}
