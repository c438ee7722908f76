import { createHash } from "node:crypto";
import { imageFlags } from "../../src/image/header.ts";
import type { ImageSource } from "../../src/image/source.ts";
import {
  protectedTlvInfoMagic,
  readTlvValue,
  type TlvArea,
  tlvInfoBytes,
  tlvInfoMagic,
  tlvTypes,
  walkTlvs,
} from "../../src/image/tlv.ts";
import { checkTlvs, type ImageTrust, readFrame } from "../../src/image/verify.ts";
import type { BootArea } from "./boot-area.ts";
import type { SecurityCounter } from "./config.ts";
import type { RawImageHeader } from "./raw-header.ts";

/** An image where it lies: its header starts `startOffset` bytes into the area. */
export interface PlacedImage {
  readonly area: BootArea;
  readonly header: RawImageHeader;
  readonly startOffset: number;
}

/**
 * boot_check_header_valid and bootutil_img_validate, through the verification that devices run.
 * That one is stricter than MCUboot in two points that no tool produces: a header size below 32,
 * and DER that is not the shortest.
 */
export function imageIsValid(
  image: PlacedImage,
  trust: ImageTrust,
  counter: SecurityCounter | null,
): boolean {
  const source = sourceOf(image);
  const framed = readFrame(withHeader(source, image.header), trust.imageBytesMax);
  if (!framed.ok) return false;
  const { area } = framed.frame;
  const hash = createHash("sha256");
  image.area.visit(image.startOffset, area.protectedEndBytes, (piece) => hash.update(piece));
  if (checkTlvs(source, area, hash.digest(), trust) !== null) return false;
  return counter === null || counterIsEnough(source, area, counter);
}

/**
 * Hardware rollback protection: every security counter must be there and not below the stored one.
 */
function counterIsEnough(source: ImageSource, area: TlvArea, stored: SecurityCounter): boolean {
  let seen = false;
  const refusal = walkTlvs(source, area, (entry) => {
    if (entry.type !== tlvTypes.securityCounter) return null;
    seen = true;
    if (entry.valueBytes !== 4) return "length";
    return littleEndianWord(readTlvValue(source, entry)) < stored.read() ? "too-low" : null;
  });
  return refusal === null && seen;
}

/** bootutil_get_img_security_cnt: the value of the first protected TLV, or null. */
export function securityCounterOf(image: PlacedImage): number | null {
  if (image.header.protectedTlvBytes === 0) return null;
  const area = tlvArea(image);
  if (area === null) return null;
  const source = sourceOf(image);
  let value: number | null = null;
  walkTlvs(source, { ...area, endBytes: area.protectedEndBytes }, (entry) => {
    if (entry.type !== tlvTypes.securityCounter) return null;
    if (entry.valueBytes === 4) value = littleEndianWord(readTlvValue(source, entry));
    return "found";
  });
  return value;
}

/**
 * boot_read_image_size: bytes from the header to the end of the TLVs, and how many of them are
 * unprotected TLVs.
 */
export function imageSize(
  image: PlacedImage,
): { readonly totalBytes: number; readonly unprotectedTlvBytes: number } | null {
  const area = tlvArea(image);
  return area === null
    ? null
    : {
        totalBytes: area.endBytes,
        unprotectedTlvBytes: area.endBytes - area.protectedEndBytes,
      };
}

/** IMAGE_F_NON_BOOTABLE, which counts even where no image stands. */
export function isNonBootable(header: RawImageHeader): boolean {
  return (header.flags & imageFlags.nonBootable) !== 0;
}

/**
 * Unlike readTlvArea it takes an area that leaves the slot, as MCUboot does when it sizes a swap.
 */
function tlvArea({ area, header, startOffset }: PlacedImage): TlvArea | null {
  const startBytes = (header.headerBytes + header.payloadBytes) >>> 0;
  let info = readInfo(area, startOffset + startBytes);
  if (info === null) return null;
  if (info.magic === protectedTlvInfoMagic) {
    if (info.totalBytes !== header.protectedTlvBytes) return null;
    info = readInfo(area, startOffset + startBytes + info.totalBytes);
    if (info === null) return null;
  } else if (header.protectedTlvBytes !== 0) return null;
  if (info.magic !== tlvInfoMagic) return null;
  const protectedEndBytes = startBytes + header.protectedTlvBytes;
  return { startBytes, protectedEndBytes, endBytes: protectedEndBytes + info.totalBytes };
}

function readInfo(area: BootArea, offset: number): { magic: number; totalBytes: number } | null {
  if (!area.contains(offset, tlvInfoBytes)) return null;
  const bytes = new Uint8Array(tlvInfoBytes);
  area.read(offset, bytes);
  const view = new DataView(bytes.buffer);
  return { magic: view.getUint16(0, true), totalBytes: view.getUint16(2, true) };
}

/**
 * MCUboot frames an image by the header it has in memory, which an interrupted swap can leave
 * behind the flash.
 */
function withHeader(source: ImageSource, header: RawImageHeader): ImageSource {
  return {
    sizeBytes: source.sizeBytes,
    read: (offset, into) => (offset === 0 ? into.set(header.bytes) : source.read(offset, into)),
  };
}

function sourceOf({ area, startOffset }: PlacedImage): ImageSource {
  return startOffset === 0
    ? area
    : {
        sizeBytes: area.sizeBytes - startOffset,
        read: (offset, into) => area.read(startOffset + offset, into),
      };
}

function littleEndianWord(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
}
