import { type Crypto, digestOf } from "../ports/crypto.ts";

/**
 * A signed configuration document:
 *
 *   offset      bytes
 *   0           4      "SLC1"
 *   4           n      the document, JSON in UTF-8
 *   4 + n       64     r and s of an ECDSA P-256 signature, big endian
 *
 * The signature is over the SHA-256 of everything before it, "SLC1" included, so that no signature
 * made for something else counts here. The document is verified, stored and read as these bytes.
 */
const magic: readonly number[] = [0x53, 0x4c, 0x43, 0x31];
const signatureBytes = 64;

export const envelopeOverheadBytes = magic.length + signatureBytes;

export type EnvelopeRefusal = "too-large" | "malformed-envelope" | "signature-invalid";

export interface EnvelopeTrust {
  readonly crypto: Crypto;
  /** Uncompressed points, 65 bytes each; the signature of any of them counts. */
  readonly keys: readonly Uint8Array[];
  readonly bytesMax: number;
}

/** The document of an envelope that one of the keys signed; a view into `envelope`, no copy. */
export function openConfigurationEnvelope(
  envelope: Uint8Array,
  trust: EnvelopeTrust,
): { ok: true; document: Uint8Array } | { ok: false; reason: EnvelopeRefusal } {
  if (envelope.length > trust.bytesMax) return { ok: false, reason: "too-large" };
  const document = documentOf(envelope);
  if (document === null) return { ok: false, reason: "malformed-envelope" };
  const end = envelope.length - signatureBytes;
  const digest = digestOf(trust.crypto, envelope.subarray(0, end));
  const signature = envelope.subarray(end);
  const signed = trust.keys.some((key) => trust.crypto.verifyP256(key, digest, signature));
  return signed ? { ok: true, document } : { ok: false, reason: "signature-invalid" };
}

/** The document of an envelope that was verified before it was stored; null for other bytes. */
export function documentOf(envelope: Uint8Array): Uint8Array | null {
  if (envelope.length <= envelopeOverheadBytes) return null;
  if (!magic.every((byte, index) => envelope[index] === byte)) return null;
  return envelope.subarray(magic.length, envelope.length - signatureBytes);
}

/** What the release side signs: the 32 bytes of the digest. */
export function configurationDigest(document: Uint8Array, crypto: Crypto): Uint8Array {
  return digestOf(crypto, Uint8Array.of(...magic, ...document));
}

/** The envelope of a document and its signature, r and s in 64 bytes. */
export function encodeConfigurationEnvelope(
  document: Uint8Array,
  signature: Uint8Array,
): Uint8Array {
  if (signature.length !== signatureBytes)
    throw new RangeError(
      `a raw P-256 signature has ${signatureBytes} bytes, not ${signature.length}`,
    );
  return Uint8Array.of(...magic, ...document, ...signature);
}
