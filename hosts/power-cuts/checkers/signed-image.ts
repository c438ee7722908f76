import { createHash, createPublicKey, verify } from "node:crypto";

/**
 * Checks a signed image with Node's own crypto and a reading of the format of its own (struct
 * image_header, struct image_tlv of MCUboot's image.h), so that a defect of src/image cannot vouch
 * for itself. Answers what is wrong, or null.
 */
export function signatureDefect(file: Uint8Array, publicPem: string): string | null {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.length < headerBytes || bytes.readUInt32LE(0) !== imageMagic)
    return "does not begin as an image does";
  const signedBytes = bytes.readUInt16LE(8) + bytes.readUInt32LE(12) + bytes.readUInt16LE(10);
  const tlvs = readTlvs(bytes, signedBytes);
  if (tlvs === null) return "has no TLVs behind what is signed";
  const signed = bytes.subarray(0, signedBytes);
  const digest = createHash("sha256").update(signed).digest();
  if (tlvs.get(tlvSha256)?.equals(digest) !== true) return "has another hash than its TLV says";
  const key = createPublicKey(publicPem);
  const keyHash = createHash("sha256")
    .update(key.export({ format: "der", type: "spki" }))
    .digest();
  if (tlvs.get(tlvKeyHash)?.equals(keyHash) !== true) return "is not signed with the device's key";
  const signature = tlvs.get(tlvEcdsa);
  if (signature === undefined || !verify("sha256", signed, key, signature))
    return "has a signature that does not fit";
  return null;
}

const headerBytes = 32;
const imageMagic = 0x96f3b83d;
const tlvInfoMagic = 0x6907;
const tlvInfoBytes = 4;
const tlvKeyHash = 0x01;
const tlvSha256 = 0x10;
const tlvEcdsa = 0x22;

/** The unprotected TLVs; null unless they reach exactly to the end. */
function readTlvs(bytes: Buffer, start: number): Map<number, Buffer> | null {
  if (start + tlvInfoBytes > bytes.length || bytes.readUInt16LE(start) !== tlvInfoMagic)
    return null;
  const end = start + bytes.readUInt16LE(start + 2);
  if (end !== bytes.length) return null;
  const found = new Map<number, Buffer>();
  let at = start + tlvInfoBytes;
  while (at + tlvInfoBytes <= end) {
    const valueEnd = at + tlvInfoBytes + bytes.readUInt16LE(at + 2);
    if (valueEnd > end) return null;
    found.set(bytes.readUInt16LE(at), bytes.subarray(at + tlvInfoBytes, valueEnd));
    at = valueEnd;
  }
  return at === end ? found : null;
}
