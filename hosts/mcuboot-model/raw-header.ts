import { type ImageHeader, imageHeaderBytes } from "../../src/image/header.ts";
import type { ImageVersion } from "../../src/image/version.ts";
import type { BootArea } from "./boot-area.ts";

/** struct image_header as MCUboot holds it: whatever stands in those 32 bytes, an image or not. */
export interface RawImageHeader extends ImageHeader {
  readonly magic: number;
  /** The 32 bytes that it was read from. */
  readonly bytes: Uint8Array;
}

/** IMAGE_MAGIC. */
export const imageMagic = 0x96f3b83d;
/** The magic of a header on erased flash. */
export const erasedMagic = 0xffffffff;

export function readRawHeader(area: BootArea, offset: number): RawImageHeader {
  const bytes = new Uint8Array(imageHeaderBytes);
  area.read(offset, bytes);
  return decodeRawHeader(bytes);
}

export function decodeRawHeader(bytes: Uint8Array): RawImageHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, imageHeaderBytes);
  return {
    bytes,
    magic: view.getUint32(0, true),
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
}

/** major.minor.revision+build, the build number always there. */
export function fullVersion({ major, minor, revision, build }: ImageVersion): string {
  return `${major}.${minor}.${revision}+${build}`;
}

/** boot_compare_version: the build number does not count. */
export function compareWithoutBuild(left: ImageVersion, right: ImageVersion): number {
  return left.major - right.major || left.minor - right.minor || left.revision - right.revision;
}

/** What MCUboot's zeroed state says before any header was read. */
export const blankHeader: RawImageHeader = decodeRawHeader(new Uint8Array(imageHeaderBytes));
