import { isDeepStrictEqual } from "node:util";
import { DocumentStore } from "../../src/config/document-store.ts";
import { hardwareIdCharactersMax, isHardwareId } from "../../src/image/hardware.ts";
import { toHex } from "../../src/image/hex.ts";
import { type KeyValue, StorageError } from "../../src/ports/board.ts";
import { deviceIdRule, isDeviceId } from "../../src/protocol/device-id.ts";
import { parseHttpAddress } from "../../src/protocol/http-address.ts";
import { certificateBytesMax } from "../../src/tls/certificate.ts";
import {
  credentialLimits,
  credentialsBytesMax,
  encodeCredentials,
  readCredentials,
  type TlsCredentials,
  writeCredentials,
} from "../../src/tls/credentials.ts";
import { trustDocumentBytesMax, trustDocuments } from "../../src/trust/metadata-store.ts";
import { identityKey, identityLimits, readIdentity } from "../../src/update/settings.ts";
import type { BoardStorage } from "./board/board-host.ts";

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

/** What the firmware could not read, or do anything with: the value and the limit. */
export class EnrolmentError extends Error {
  override readonly name = "EnrolmentError";
}

/**
 * Writes the identity and, if there are any, the credentials for https and the first root, and
 * reads all of it back as the firmware does. Throws `EnrolmentError` for what a device could not go
 * by; the storage is then worth nothing.
 */
export function enroll(storage: BoardStorage, enrolment: Enrolment): void {
  checkEnrolment(enrolment);
  const keys = ownKeys(storage);
  const { tls = null, trustRoot = null } = enrolment;
  const root = new DocumentStore(keys, trustDocuments.root, {
    bytesMax: trustDocumentBytesMax.root,
  });
  try {
    keys.write(identityKey, encodeEnrolment(enrolment));
    if (tls !== null) writeCredentials(keys, tls);
    if (trustRoot !== null) root.write(trustRoot);
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    throw new EnrolmentError(`the storage does not take it: ${error.message}`);
  }
  const read = readIdentity(keys);
  const isSame =
    read !== null &&
    isDeepStrictEqual(
      read.imageKeys.map(({ publicKey }) => toHex(publicKey)),
      enrolment.imageKeys.map((key) => toHex(key)),
    ) &&
    read.serverUrl === withoutSlash(enrolment.serverUrl) &&
    [read.tenant, read.deviceId, read.token, read.hardware].join("\0") ===
      [enrolment.tenant, enrolment.deviceId, enrolment.token, enrolment.hardware].join("\0");
  if (!isSame) throw new EnrolmentError("the firmware does not read the identity back as it is");
  if (tls !== null && !isSameCredentials(readCredentials(keys), tls))
    throw new EnrolmentError("the firmware does not read the certificates back as they are");
  const stored = trustRoot === null ? null : root.read();
  if (trustRoot !== null && (stored === null || toHex(stored) !== toHex(trustRoot)))
    throw new EnrolmentError("the firmware does not read the root back as it is");
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

/** Tells which part is beyond what the firmware reads, before anything is written. */
function checkEnrolment(enrolment: Enrolment): void {
  const { serverUrl, tenant, deviceId, token, hardware, imageKeys, tls } = enrolment;
  const limits = identityLimits;
  checkLength("the address of the server", serverUrl, limits.serverUrlLengthMax);
  checkServer(serverUrl);
  checkLength("the tenant", tenant, limits.tenantLengthMax);
  if (!isDeviceId(deviceId))
    throw new EnrolmentError(`the device's id is "${deviceId}": give ${deviceIdRule}`);
  checkLength("the token", token, limits.tokenLengthMax);
  checkLength("the hardware", hardware, hardwareIdCharactersMax);
  if (!isHardwareId(hardware))
    throw new EnrolmentError(`"${hardware}" is no hardware id such as esp32c3-b`);
  // A header carries the token, and a path the tenant.
  if (!/^[!-~]+$/.test(tenant) || /[/?#\\%]/.test(tenant) || tenant === "." || tenant === "..")
    throw new EnrolmentError(
      `the tenant is "${tenant}": give printable ASCII without spaces and / ? # \\ %`,
    );
  if (!/^[!-~]+$/.test(token))
    throw new EnrolmentError("the token has a character that no header carries: give !-~");
  checkCount("image keys", imageKeys.length, limits.imageKeysMax);
  const { length } = encodeEnrolment(enrolment);
  if (length > limits.bytesMax)
    throw new EnrolmentError(
      `the identity has ${length} bytes with its ${imageKeys.length} image keys, a device reads ${limits.bytesMax}: give fewer keys, or a shorter address or token`,
    );
  if (tls !== undefined) checkTls(tls);
}

function checkServer(serverUrl: string): void {
  const address = parseHttpAddress(serverUrl);
  if (!address.ok || address.path !== "/" || serverUrl.includes("?"))
    throw new EnrolmentError(
      `the address of the server is "${serverUrl}": a device asks http(s)://HOST:PORT alone, with a name or an IPv4 address, a port from 1 to 65535, no user and no path`,
    );
}

function checkTls({ authorities, client }: TlsCredentials): void {
  checkCount("authorities", authorities.length, credentialLimits.authoritiesMax);
  const chain = client?.certificates ?? [];
  if (client !== null)
    checkCount("client certificates", chain.length, credentialLimits.clientCertificatesMax);
  for (const { length } of [...authorities, ...chain])
    if (length > certificateBytesMax)
      throw new EnrolmentError(
        `a certificate has ${length} bytes, a device reads ${certificateBytesMax}`,
      );
  const { length } = encodeCredentials({ authorities, client });
  if (length > credentialsBytesMax)
    throw new EnrolmentError(
      `the certificates have ${length} bytes together, a device keeps ${credentialsBytesMax}: give fewer`,
    );
}

function checkLength(what: string, text: string, max: number): void {
  if (text.length >= 1 && text.length <= max) return;
  throw new EnrolmentError(`${what} has ${text.length} characters, a device reads 1 to ${max}`);
}

function checkCount(what: string, count: number, max: number): void {
  if (count >= 1 && count <= max) return;
  throw new EnrolmentError(`there are ${count} ${what}, a device takes 1 to ${max}`);
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}

function isSameCredentials(read: TlsCredentials | null, written: TlsCredentials): boolean {
  return read !== null && toHex(encodeCredentials(read)) === toHex(encodeCredentials(written));
}

/** The names that the firmware sees below its own path. */
function ownKeys(storage: BoardStorage): KeyValue {
  return {
    read: (key) => storage.read(`sluice/${key}`),
    write: (key, value) => storage.write(`sluice/${key}`, value),
    delete: (key) => storage.delete(`sluice/${key}`),
  };
}
