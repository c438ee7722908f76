import { type ImageVersion, isImageVersion } from "./version.ts";

/**
 * `IMAGE_HEADER_SIZE`: sizeof(struct image_header). A header area may be longer; only these bytes
 * are defined.
 */
export const imageHeaderBytes = 32;

/** The defined part of MCUboot's `struct image_header`, all fields little endian. */
export interface ImageHeader {
  /** `ih_load_addr`. */
  readonly loadAddress: number;
  /** `ih_hdr_size`: from the start of the image to the payload, at least 32. */
  readonly headerBytes: number;
  /** `ih_protect_tlv_size`: the protected TLV area with its info, or 0. */
  readonly protectedTlvBytes: number;
  /** `ih_img_size`: the payload alone. */
  readonly payloadBytes: number;
  /** `ih_flags`, see `imageFlags`. */
  readonly flags: number;
  /** `ih_ver`. */
  readonly version: ImageVersion;
}

/** `IMAGE_F_*` of bootutil/image.h. */
export const imageFlags = {
  encryptedAes128: 0x00000004,
  encryptedAes256: 0x00000008,
  nonBootable: 0x00000010,
  ramLoad: 0x00000020,
  romFixed: 0x00000100,
  compressedLzma1: 0x00000200,
  compressedLzma2: 0x00000400,
  compressedArmThumb: 0x00000800,
} as const;

/**
 * `header-truncated`: fewer than 32 bytes. `header-erased`: the magic is all 0xff, as on erased
 * flash. `header-magic`: another magic than `IMAGE_MAGIC`. `header-size`: `ih_hdr_size` is smaller
 * than the header itself, which MCUboot does not check and no tool writes.
 */
export type HeaderRefusal = "header-truncated" | "header-erased" | "header-magic" | "header-size";

export const imageMagic = 0x96f3b83d; // IMAGE_MAGIC
const erasedMagic = 0xffffffff; // IMAGE_MAGIC_NONE

/** Reads the header at the start of `bytes`; what follows the 32 bytes is not looked at. */
export function parseImageHeader(
  bytes: Uint8Array,
): { ok: true; header: ImageHeader } | { ok: false; reason: HeaderRefusal } {
  if (bytes.length < imageHeaderBytes) return { ok: false, reason: "header-truncated" };
  const view = new DataView(bytes.buffer, bytes.byteOffset, imageHeaderBytes);
  const magic = view.getUint32(0, true);
  if (magic === erasedMagic) return { ok: false, reason: "header-erased" };
  if (magic !== imageMagic) return { ok: false, reason: "header-magic" };
  const header: ImageHeader = {
    loadAddress: view.getUint32(4, true),
    headerBytes: view.getUint16(8, true),
    protectedTlvBytes: view.getUint16(10, true),
    payloadBytes: view.getUint32(12, true),
    flags: view.getUint32(16, true),
    version: {
      major: view.getUint8(20),
      minor: view.getUint8(21),
      revision: view.getUint16(22, true),
      build: view.getUint32(24, true),
    },
  };
  if (header.headerBytes < imageHeaderBytes) return { ok: false, reason: "header-size" };
  return { ok: true, header };
}

/**
 * The 32 bytes of a header; `_pad1` is written as 0. Throws RangeError on a field that its width
 * cannot hold.
 */
export function encodeImageHeader(header: ImageHeader): Uint8Array {
  requireField("loadAddress", header.loadAddress, 0, 0xffffffff);
  requireField("headerBytes", header.headerBytes, imageHeaderBytes, 0xffff);
  requireField("protectedTlvBytes", header.protectedTlvBytes, 0, 0xffff);
  requireField("payloadBytes", header.payloadBytes, 0, 0xffffffff);
  requireField("flags", header.flags, 0, 0xffffffff);
  if (!isImageVersion(header.version))
    throw new RangeError(`version ${JSON.stringify(header.version)} does not fit its fields`);
  const bytes = new Uint8Array(imageHeaderBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, imageMagic, true);
  view.setUint32(4, header.loadAddress, true);
  view.setUint16(8, header.headerBytes, true);
  view.setUint16(10, header.protectedTlvBytes, true);
  view.setUint32(12, header.payloadBytes, true);
  view.setUint32(16, header.flags, true);
  view.setUint8(20, header.version.major);
  view.setUint8(21, header.version.minor);
  view.setUint16(22, header.version.revision, true);
  view.setUint32(24, header.version.build, true);
  return bytes;
}

function requireField(name: string, value: number, min: number, max: number): void {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new RangeError(`${name} is ${value}, must be a whole number from ${min} to ${max}`);
}
