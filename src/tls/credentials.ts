import { DocumentStore } from "../config/document-store.ts";
import type { KeyValue } from "../ports/board.ts";
import { certificateBytesMax } from "./certificate.ts";

/** With what a device knows its servers, and what it shows them: part of its enrolment. */
export interface TlsCredentials {
  /**
   * Certificates in DER of the authorities that stand behind servers; two while one is replaced.
   */
  readonly authorities: readonly Uint8Array[];
  /** What servers that ask for it get to see; null on a device that has a token alone. */
  readonly client: ClientCredentials | null;
}

export interface ClientCredentials {
  /** In DER, the device's own first. */
  readonly certificates: readonly Uint8Array[];
  /** The private key on P-256 of the first one: the number d, 32 bytes. */
  readonly privateKey: Uint8Array;
}

/** The document that enrolment writes beside the identity, in as many values as it takes. */
const credentialsName = "tls";
export const credentialsBytesMax = 8192;
/** How many certificates a device is enrolled with. */
export const credentialLimits = { authoritiesMax: 4, clientCertificatesMax: 3 } as const;
const privateKeyBytes = 32;

const item = { authority: 1, clientCertificate: 2, privateKey: 3 } as const;

/** What was enrolled; null when there is nothing, or nothing that can be read. */
export function readCredentials(keyValue: KeyValue): TlsCredentials | null {
  const bytes = credentialsStore(keyValue).read();
  return bytes === null ? null : parseCredentials(bytes);
}

/** Throws `StorageError`; a power cut leaves the old credentials or the new ones. */
export function writeCredentials(keyValue: KeyValue, credentials: TlsCredentials): void {
  credentialsStore(keyValue).write(encodeCredentials(credentials));
}

function credentialsStore(keyValue: KeyValue): DocumentStore {
  return new DocumentStore(keyValue, credentialsName, { bytesMax: credentialsBytesMax });
}

/** Items one after another: kind u8, length u16 little endian, bytes. */
export function encodeCredentials({ authorities, client }: TlsCredentials): Uint8Array {
  const items: (readonly [number, Uint8Array])[] = authorities.map((der) => [item.authority, der]);
  for (const der of client?.certificates ?? []) items.push([item.clientCertificate, der]);
  if (client !== null) items.push([item.privateKey, client.privateKey]);
  const whole = new Uint8Array(items.reduce((sum, [, bytes]) => sum + 3 + bytes.length, 0));
  const view = new DataView(whole.buffer);
  let offset = 0;
  for (const [kind, bytes] of items) {
    view.setUint8(offset, kind);
    view.setUint16(offset + 1, bytes.length, true);
    whole.set(bytes, offset + 3);
    offset += 3 + bytes.length;
  }
  return whole;
}

/** Null for anything but at least one authority, and a client's certificates with their key. */
export function parseCredentials(bytes: Uint8Array): TlsCredentials | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const authorities: Uint8Array[] = [];
  const certificates: Uint8Array[] = [];
  let privateKey: Uint8Array | null = null;
  for (let offset = 0; offset < bytes.length; ) {
    if (offset + 3 > bytes.length) return null;
    const value = bytes.subarray(offset + 3, offset + 3 + view.getUint16(offset + 1, true));
    if (value.length !== view.getUint16(offset + 1, true) || value.length > certificateBytesMax)
      return null;
    const kind = view.getUint8(offset);
    if (kind === item.authority) authorities.push(value);
    else if (kind === item.clientCertificate) certificates.push(value);
    else if (kind === item.privateKey && privateKey === null) privateKey = value;
    else return null;
    offset += 3 + value.length;
  }
  if (authorities.length === 0 || authorities.length > credentialLimits.authoritiesMax) return null;
  if (privateKey === null) return certificates.length === 0 ? { authorities, client: null } : null;
  if (privateKey.length !== privateKeyBytes) return null;
  if (certificates.length === 0) return null;
  if (certificates.length > credentialLimits.clientCertificatesMax) return null;
  return { authorities, client: { certificates, privateKey } };
}
