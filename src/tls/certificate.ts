import { decodePublicKey } from "../image/keys.ts";
import { signatureFromDer } from "../image/signature.ts";
import { digits, type Part, partsOf } from "../image/text-parts.ts";
import { DerReader, derTag } from "./der.ts";

/** What a device needs of an X.509 certificate (RFC 5280, 4.1). */
export interface Certificate {
  /** The signed part, with its tag and length. */
  readonly signedBytes: Uint8Array;
  /** The issuer's signature over the SHA-256 of `signedBytes`: r and s, 64 bytes. */
  readonly signature: Uint8Array;
  /** DER of the two names: see `isSameName`. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  readonly notBeforeUnixMs: number;
  readonly notAfterUnixMs: number;
  /** The uncompressed point on P-256, 65 bytes. */
  readonly publicKey: Uint8Array;
  readonly extensions: Extensions;
}

interface Extensions {
  /** DER of the names of the subject's subjectAltName, one after another; empty without it. */
  readonly alternativeNames: Uint8Array;
  /** The subject may issue certificates. */
  readonly isAuthority: boolean;
  /** How many authorities may follow below it. */
  readonly authoritiesBelowMax: number;
  /** The first 8 bits of keyUsage, or null without it. */
  readonly keyUsage: number | null;
  /** Null without the extension, which allows every purpose. */
  readonly forServers: boolean | null;
}

/** keyUsage (RFC 5280, 4.2.1.3) */
export const keyUsage = { digitalSignature: 0x80, keyCertSign: 0x04 } as const;

export const certificateBytesMax = 4096;
const extensionsMax = 32;

/**
 * Reads a certificate in DER. Null for everything that is not a version 3 certificate of a P-256
 * key, signed with ECDSA and SHA-256, for critical extensions that this reader does not know, since
 * those must not be passed over (RFC 5280, 4.2), and for name constraints, critical or not: their
 * sender meant them to be kept, and this reader cannot.
 */
export function parseCertificate(der: Uint8Array): Certificate | null {
  if (der.length > certificateBytesMax) return null;
  const outer = new DerReader(der);
  const whole = outer.into(derTag.sequence);
  const { content, whole: signedBytes } = whole.takeBoth(derTag.sequence);
  const algorithm = whole.takeBoth(derTag.sequence).whole;
  const signed = readBitString(whole.take(derTag.bitString));
  outer.ended(whole);
  const fields = readSigned(content);
  if (outer.failed || signed === null || fields === null) return null;
  if (!isEqual(algorithm, ecdsaWithSha256) || !isEqual(fields.algorithm, ecdsaWithSha256))
    return null;
  const signature = signatureFromDer(signed);
  const key = decodePublicKey(fields.publicKeyInfo);
  if (!signature.ok || key?.algorithm !== "ecdsa-p256") return null;
  const { issuer, subject, notBeforeUnixMs, notAfterUnixMs, extensions } = fields;
  return {
    signedBytes,
    signature: signature.raw,
    issuer,
    subject,
    notBeforeUnixMs,
    notAfterUnixMs,
    publicKey: key.publicKey,
    extensions,
  };
}

/** AlgorithmIdentifier of ecdsa-with-SHA256 (RFC 5758, 3.2), which has no parameters. */
const ecdsaWithSha256 = Uint8Array.of(
  ...[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
);

/** The name that a certificate of any kind is about; null for what is no certificate. */
export function subjectOf(der: Uint8Array): Uint8Array | null {
  if (der.length > certificateBytesMax) return null;
  const reader = new DerReader(der).into(derTag.sequence).into(derTag.sequence);
  if (reader.nextTag === derTag.explicit0) reader.take(derTag.explicit0);
  reader.take(derTag.integer); // the serial number
  reader.take(derTag.sequence); // the algorithm
  reader.take(derTag.sequence); // the issuer
  reader.take(derTag.sequence); // the validity
  const subject = reader.takeBoth(derTag.sequence).whole;
  return reader.failed ? null : subject;
}

interface SignedFields extends Omit<Certificate, "signedBytes" | "signature" | "publicKey"> {
  readonly algorithm: Uint8Array;
  readonly publicKeyInfo: Uint8Array;
}

/** TBSCertificate */
function readSigned(content: Uint8Array): SignedFields | null {
  const reader = new DerReader(content);
  const explicitVersion = reader.into(derTag.explicit0);
  const version = explicitVersion.take(derTag.integer);
  const serial = reader.take(derTag.integer);
  const algorithm = reader.takeBoth(derTag.sequence).whole;
  const issuer = reader.takeBoth(derTag.sequence).whole;
  const validity = reader.into(derTag.sequence);
  const notBeforeUnixMs = readTime(validity);
  const notAfterUnixMs = readTime(validity);
  const subject = reader.takeBoth(derTag.sequence).whole;
  const publicKeyInfo = reader.takeBoth(derTag.sequence).whole;
  const wrapped = reader.into(derTag.explicit3);
  const list = wrapped.into(derTag.sequence);
  const extensions = readExtensions(list);
  reader.ended(explicitVersion, validity, wrapped, list);
  if (reader.failed || extensions === null || serial.length === 0) return null;
  if (notBeforeUnixMs === null || notAfterUnixMs === null) return null;
  if (version.length !== 1 || version[0] !== 2) return null; // v3
  return {
    algorithm,
    issuer,
    notBeforeUnixMs,
    notAfterUnixMs,
    subject,
    publicKeyInfo,
    extensions,
  };
}

const two: Part = [digits, 2, 2];

/** UTCTime until 2049, GeneralizedTime from 2050, both in seconds and Z (RFC 5280, 4.1.2.5). */
function readTime(reader: DerReader): number | null {
  const short = reader.nextTag === derTag.utcTime;
  const bytes = reader.take(short ? derTag.utcTime : derTag.generalizedTime);
  const text = asciiOf(bytes.subarray(0, 16));
  const parts = partsOf(text, [...(short ? [] : [two]), two, two, two, two, two, two, "Z"]);
  if (parts === null) return null;
  const numbers = parts.map(Number);
  const century = short ? null : numbers.shift();
  const [years, month, day, hour, minute, second] = numbers;
  const base = century == null ? (years! < 50 ? 2000 : 1900) : century * 100;
  const unixMs = Date.UTC(base + years!, month! - 1, day, hour, minute, second);
  const read = new Date(unixMs);
  // A month of 13 or a second of 60 would have been carried over.
  return read.getUTCMonth() === month! - 1 && read.getUTCDate() === day && second! < 60
    ? unixMs
    : null;
}

function readExtensions(list: DerReader): Extensions | null {
  const seen = new Set<string>();
  let found: Extensions = {
    alternativeNames: new Uint8Array(0),
    isAuthority: false,
    authoritiesBelowMax: Number.POSITIVE_INFINITY,
    keyUsage: null,
    forServers: null,
  };
  while (!list.atEnd) {
    const reader = list.into(derTag.sequence);
    const id = reader.take(derTag.objectIdentifier).join();
    const isMarked = reader.nextTag === derTag.boolean;
    const critical = isMarked ? reader.take(derTag.boolean) : Uint8Array.of(0);
    const value = new DerReader(reader.take(derTag.octetString));
    const read = readers[id]?.(value);
    if (reader.failed || !reader.atEnd || critical.length !== 1) return null;
    if (seen.has(id) || seen.size >= extensionsMax) return null;
    seen.add(id);
    if (read === undefined && critical[0] !== 0) return null;
    if (read === null || (read !== undefined && (value.failed || !value.atEnd))) return null;
    found = { ...found, ...read };
  }
  return list.failed ? null : found;
}

/** By the bytes of the object identifier; null for a value that is not as its clause says. */
const readers: Readonly<Record<string, (value: DerReader) => Partial<Extensions> | null>> = {
  /** basicConstraints, RFC 5280, 4.2.1.9 */
  "85,29,19": (value) => {
    const reader = value.into(derTag.sequence);
    const isAuthority = reader.nextTag === derTag.boolean && reader.take(derTag.boolean)[0] !== 0;
    const length = reader.nextTag === derTag.integer ? reader.take(derTag.integer) : null;
    value.ended(reader);
    if (length === null) return { isAuthority };
    return length.length === 1 && length[0]! < 0x80
      ? { isAuthority, authoritiesBelowMax: length[0]! }
      : null;
  },
  /** keyUsage, 4.2.1.3 */
  "85,29,15": (value) => {
    const bits = readBits(value.take(derTag.bitString));
    return bits === null ? null : { keyUsage: bits };
  },
  /** subjectAltName, 4.2.1.6 */
  "85,29,17": (value) => {
    const alternativeNames = value.take(derTag.sequence);
    return haveElements(alternativeNames) ? { alternativeNames } : null;
  },
  /** certificatePolicies, 4.2.1.4: this reader asks for no policy, so that any will do (6.1.1). */
  "85,29,32": (value) => (haveElements(value.take(derTag.sequence)) ? {} : null),
  /** nameConstraints, 4.2.1.10 */
  "85,29,30": () => null,
  /** extKeyUsage, 4.2.1.12 */
  "85,29,37": (value) => {
    const reader = value.into(derTag.sequence);
    let forServers = false;
    while (!reader.atEnd) {
      const purpose = reader.take(derTag.objectIdentifier).join();
      forServers ||= purpose === serverAuthentication || purpose === anyPurpose;
    }
    return reader.failed ? null : { forServers };
  },
};

/** id-kp-serverAuth and anyExtendedKeyUsage, RFC 5280, 4.2.1.12 */
const serverAuthentication = "43,6,1,5,5,7,3,1";
const anyPurpose = "85,29,37,0";

function haveElements(bytes: Uint8Array): boolean {
  const reader = new DerReader(bytes);
  while (!reader.atEnd) reader.take(reader.nextTag);
  return !reader.failed;
}

function asciiOf(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

/** A BIT STRING of whole bytes. */
function readBitString(content: Uint8Array): Uint8Array | null {
  return content[0] === 0 ? content.subarray(1) : null;
}

/** The first byte of a BIT STRING whose last bits may be unused. */
function readBits(content: Uint8Array): number | null {
  const [unused, first] = content;
  if (unused === undefined || first === undefined || unused > 7) return null;
  return first;
}

export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
