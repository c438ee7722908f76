/**
 * Why bytes are not the DER of an ECDSA signature on P-256 (RFC 3279 2.2.3, strict DER of X.690).
 */
export type SignatureRefusal = "signature-der";

const scalarBytes = 32;

/**
 * Reads `SEQUENCE { r INTEGER, s INTEGER }` into r and s of 32 bytes each. Strict: shortest
 * lengths, shortest positive integers, both from 1 to 2^256 - 1, nothing after the sequence.
 */
export function signatureFromDer(
  der: Uint8Array,
): { ok: true; raw: Uint8Array } | { ok: false; reason: SignatureRefusal } {
  const refused = { ok: false, reason: "signature-der" } as const;
  if (derSequenceBytes(der) !== der.length) return refused;
  const raw = new Uint8Array(2 * scalarBytes);
  const afterR = readInteger(der, 2, raw.subarray(0, scalarBytes));
  if (afterR === null) return refused;
  const afterS = readInteger(der, afterR, raw.subarray(scalarBytes));
  if (afterS !== der.length) return refused;
  return { ok: true, raw };
}

/**
 * The shortest DER of r and s in 64 bytes. Throws RangeError when r or s is 0 or the length is
 * another.
 */
export function signatureToDer(raw: Uint8Array): Uint8Array {
  if (raw.length !== 2 * scalarBytes)
    throw new RangeError(`a raw P-256 signature has 64 bytes, not ${raw.length}`);
  const r = encodeInteger(raw.subarray(0, scalarBytes));
  const s = encodeInteger(raw.subarray(scalarBytes));
  return Uint8Array.of(0x30, r.length + s.length, ...r, ...s);
}

/**
 * The length of the sequence that `bytes` starts with, or null. MCUboot ignores what follows it in
 * the TLV (`bootutil_decode_sig`): `imgtool --pad-sig` puts zeros there.
 */
export function derSequenceBytes(bytes: Uint8Array): number | null {
  const contentBytes = bytes[1];
  if (bytes[0] !== 0x30 || contentBytes === undefined || contentBytes > 0x7f) return null;
  return 2 + contentBytes <= bytes.length ? 2 + contentBytes : null;
}

/** Reads one INTEGER at `index` right-aligned into `into`; answers the index after it, or null. */
function readInteger(der: Uint8Array, index: number, into: Uint8Array): number | null {
  const lengthBytes = der[index + 1];
  if (der[index] !== 0x02 || lengthBytes === undefined || lengthBytes === 0) return null;
  const start = index + 2;
  const end = start + lengthBytes;
  const first = der[start];
  if (end > der.length || first === undefined || first >= 0x80) return null;
  const next = der[start + 1];
  if (first === 0 && (lengthBytes === 1 || next === undefined || next < 0x80)) return null;
  const value = der.subarray(first === 0 ? start + 1 : start, end);
  if (value.length > into.length) return null;
  into.set(value, into.length - value.length);
  return end;
}

function encodeInteger(scalar: Uint8Array): Uint8Array {
  let start = 0;
  while (start < scalar.length && scalar[start] === 0) start += 1;
  const value = scalar.subarray(start);
  const first = value[0];
  if (first === undefined) throw new RangeError("r and s of a signature are not 0");
  return first >= 0x80
    ? Uint8Array.of(0x02, value.length + 1, 0, ...value)
    : Uint8Array.of(0x02, value.length, ...value);
}
