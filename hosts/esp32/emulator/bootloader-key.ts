// Puts the public half of a test's own key into a copy of a bootloader, where its build put
// another: so a test can sign for any bootloader without anybody's private key.
import { createHash } from "node:crypto";

/** SubjectPublicKeyInfo of P-256 up to the uncompressed point (RFC 5480). */
const keyHead = Uint8Array.from(
  Buffer.from("3059301306072a8648ce3d020106082a8648ce3d030107034200", "hex"),
);
const pointBytes = 65;

/** Format of an application image of the chip's ROM: header, segments, checksum, perhaps a hash. */
const headerBytes = 24;
const segmentHeaderBytes = 8;
const checksumStart = 0xef;
const hashAppendedAt = 23;

/**
 * The same bootloader that accepts images of another key. Throws when it is none that holds exactly
 * one.
 */
export function withImageKey(bootloader: Uint8Array, point: Uint8Array): Uint8Array {
  const at = Buffer.from(bootloader).indexOf(keyHead);
  if (at < 0) throw new Error("the bootloader holds no P-256 key");
  if (Buffer.from(bootloader).indexOf(keyHead, at + 1) >= 0)
    throw new Error("the bootloader holds more than one P-256 key");
  if (point.length !== pointBytes) throw new Error(`a point has ${pointBytes} bytes`);
  const changed = bootloader.slice();
  changed.set(point, at + keyHead.length);
  return withChecksum(changed);
}

/**
 * Seals a changed program again: the ROM starts none whose checksum is wrong, or its hash where it
 * has one.
 */
export function withChecksum(image: Uint8Array): Uint8Array {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (image[0] !== 0xe9) throw new Error("the bootloader is no image for the chip's ROM");
  let at = headerBytes;
  let checksum = checksumStart;
  for (let segment = 0; segment < (image[1] ?? 0); segment += 1) {
    const length = view.getUint32(at + 4, true);
    const data = image.subarray(at + segmentHeaderBytes, at + segmentHeaderBytes + length);
    for (const byte of data) checksum ^= byte;
    at += segmentHeaderBytes + length;
  }
  const end = at + 16 - (at % 16);
  image[end - 1] = checksum;
  if (image[hashAppendedAt] === 1)
    image.set(createHash("sha256").update(image.subarray(0, end)).digest(), end);
  return image;
}
