import { sectorBytes } from "../../flash/geometry.ts";
import type { Extent } from "../../flash/layout.ts";
import type { NorFlash } from "../../flash/nor-flash.ts";

// What lies in a slot, read byte by byte and without the codecs of src/image: these answers judge
// them.

/** BOOT_MAGIC of an alignment up to 8, in the last 16 bytes of a slot (bootutil_public.h). */
const magic = [
  0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f, 0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80,
];
/** From the end of the slot, with an alignment of 8. */
const imageOkDistance = 24;
const copyDoneDistance = 32;

export interface RawTrailer {
  readonly hasMagic: boolean;
  /** The first byte of each flag: 0xff never written, 0x01 set, anything else torn. */
  readonly imageOk: number;
  readonly copyDone: number;
}

export function rawTrailer(flash: NorFlash, slot: Extent): RawTrailer {
  const end = flash.peek(slot.offsetBytes + slot.sizeBytes - copyDoneDistance, copyDoneDistance);
  return {
    hasMagic: magic.every((byte, index) => end[copyDoneDistance - magic.length + index] === byte),
    imageOk: end[copyDoneDistance - imageOkDistance]!,
    copyDone: end[0]!,
  };
}

/** Where the firmware writes to confirm an image. */
export function imageOkAddress(slot: Extent): number {
  return slot.offsetBytes + slot.sizeBytes - imageOkDistance;
}

/** True when the slot begins with exactly these bytes. */
export function slotHolds(flash: NorFlash, slot: Extent, file: Uint8Array): boolean {
  for (let done = 0; done < file.length; done += sectorBytes) {
    const wanted = file.subarray(done, done + sectorBytes);
    const sector = flash.sectorView((slot.offsetBytes + done) / sectorBytes);
    if (Buffer.compare(sector.subarray(0, wanted.length), wanted) !== 0) return false;
  }
  return true;
}
