import { sectorBytes } from "../flash/geometry.ts";
import { bootAssert } from "./boot-area.ts";
import type { BootStatus, LoaderState } from "./loader-state.ts";
import type { Trailer } from "./trailer.ts";

/** swap_status_init: a trailer for the swap that begins. */
export function beginTrailer(state: LoaderState, trailer: Trailer, status: BootStatus): void {
  const secondary = state.secondary.readState();
  if (status.swapType !== "none") trailer.writeSwapInfo(status.swapType);
  if (secondary.imageOk === "set") trailer.writeImageOk();
  trailer.writeSwapSize(status.swapBytes);
  if (state.algorithm.hasTlvSizes) {
    const { primary, secondary } = state.unprotectedTlvBytes;
    trailer.writeTlvSizes(primary, secondary);
  }
  trailer.writeMagic();
}

/** The rule of swap using move and swap using offset (their swap_status_source). */
export function statusSourceOfTwoSlots(state: LoaderState): "none" | "primary" {
  const primary = state.primary.readState();
  const interrupted =
    primary.magic === "good" &&
    primary.copyDone === "unset" &&
    state.secondary.readMagic() !== "good";
  return interrupted ? "primary" : "none";
}

/** One more than the index of the last status entry that is written; 0 when none is. */
export function writtenEntries(trailer: Trailer): number {
  return trailer.readStatus().lastIndexOf(true) + 1;
}

/** The first sector that holds any of a slot's trailer. */
export function firstTrailerSector(trailer: Trailer): number {
  return trailer.area.sectors - Math.max(1, Math.ceil(trailer.sizeBytes / sectorBytes));
}

/**
 * find_last_idx: sectors of the larger image, at least one. Above the limit MCUboot's 32-bit loop
 * never ends.
 */
export function sectorsToSwap(bytes: number): number {
  bootAssert(bytes <= 0x1_0000_0000 - sectorBytes, `a swap of ${bytes} bytes never ends`);
  return Math.max(1, Math.ceil(bytes / sectorBytes));
}
