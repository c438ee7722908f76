import { sectorBytes } from "../flash/geometry.ts";
import { type BootArea, bootAssert, copyRegion } from "./boot-area.ts";
import {
  type BootStatus,
  eraseTrailer,
  type LoaderState,
  type SwapAlgorithm,
} from "./loader-state.ts";
import { readRawHeader } from "./raw-header.ts";
import { scratchStatusSource } from "./scratch-status.ts";
import { beginTrailer, firstTrailerSector } from "./swap-algorithm.ts";
import type { Trailer } from "./trailer.ts";

/**
 * Swap using scratch: chunks as large as the scratch area change places, from the end of the images
 * downwards.
 *
 * | status entry | does                    |
 * | ------------ | ----------------------- |
 * | 1            | secondary to scratch    |
 * | 2            | primary to secondary    |
 * | 3            | scratch to primary      |
 *
 * A first chunk that reaches into the trailer keeps its status in the scratch area until the
 * primary trailer is free.
 */
export const swapUsingScratch: SwapAlgorithm = {
  usesScratch: true,
  hasTlvSizes: false,
  firstOp: "move",

  slotsAreCompatible({ primary, secondary, scratch, config }) {
    return (
      scratch !== null &&
      primary.area.sectors <= config.imageSectorsMax &&
      primary.area.sectors === secondary.area.sectors
    );
  },

  imageBytesMax({ primary, secondary, scratch }) {
    bootAssert(scratch !== null, "swap using scratch has no scratch area");
    const trailerStart =
      Math.min(primary.area.sizeBytes, secondary.area.sizeBytes) - primary.sizeBytes;
    const sectorEnd =
      (Math.max(firstTrailerSector(primary), firstTrailerSector(secondary)) + 1) * sectorBytes;
    // The last chunk shares the scratch area with a trailer, which must not be longer than the
    // slot's own there.
    return trailerStart - Math.max(0, scratch.sizeBytes - (sectorEnd - trailerStart));
  },

  statusSource: scratchStatusSource,

  readProgress({ config }, trailer, status) {
    let first = -1;
    let gap = -1;
    for (const [index, written] of trailer.readStatus().entries()) {
      if (written && first < 0) first = index;
      else if (!written && first >= 0 && gap < 0) gap = index;
      else if (written && gap > 0) {
        bootAssert(config.validatePrimary, "inconsistent swap status");
        break;
      }
    }
    if (first < 0) return;
    const done = gap < 0 ? trailer.statusEntries : gap;
    Object.assign(status, { index: Math.floor(done / 3) + 1, state: (done % 3) + 1 });
  },

  readHeader(state, slot, status) {
    let area: BootArea = state[slot].area;
    if (status !== null && !state.statusIsReset(status)) {
      const chunks = chunkCount(state, swapUsingScratch.progressTrailer(state).readSwapSize());
      const done = status.index - 1;
      if (done >= chunks) area = slot === "primary" ? state.secondary.area : state.primary.area;
      else if (done === chunks - 1) {
        if (slot === "secondary" && status.state >= 2) area = scratchOf(state).area;
        else if (slot === "primary" && status.state >= 3) area = state.secondary.area;
      }
    }
    state.headers[slot] = readRawHeader(area, 0);
    return true;
  },

  progressTrailer(state) {
    const scratch = scratchOf(state);
    return scratch.readMagic() === "good" ? scratch : state.primary;
  },

  run(state, status, copyBytes) {
    let end = sectorsToSwap(state, copyBytes);
    for (let chunk = 0; end > 0; chunk++) {
      const count = Math.min(end, scratchOf(state).area.sectors);
      if (chunk >= status.index - 1) swapChunk(state, status, end - count, count);
      end -= count;
    }
  },
};

function scratchOf(state: LoaderState): Trailer {
  bootAssert(state.scratch !== null, "swap using scratch has no scratch area");
  return state.scratch;
}

/** find_last_sector_idx plus one; beyond the slot MCUboot reads past its table of sectors. */
function sectorsToSwap(state: LoaderState, bytes: number): number {
  bootAssert(bytes <= state.primary.area.sizeBytes, `a swap of ${bytes} bytes leaves the slot`);
  return Math.ceil(bytes / sectorBytes);
}

/** find_swap_count. */
function chunkCount(state: LoaderState, bytes: number): number {
  return Math.ceil(sectorsToSwap(state, bytes) / scratchOf(state).area.sectors);
}

/** boot_swap_sectors: the chunk of `count` sectors from `first` on. */
function swapChunk(state: LoaderState, status: BootStatus, first: number, count: number): void {
  const offset = first * sectorBytes;
  const bytes = count * sectorBytes;
  const copyBytes = copySize(state, offset, bytes);
  status.useScratch = status.index === 1 && copyBytes !== bytes;
  const chunk = { offset, bytes, copyBytes };
  if (status.state === 1) fillScratch(state, status, chunk);
  if (status.state === 2) fillSecondary(state, status, chunk);
  if (status.state === 3) fillPrimary(state, status, chunk);
}

interface Chunk {
  readonly offset: number;
  readonly bytes: number;
  /** Less than `bytes` when the chunk reaches into the trailer. */
  readonly copyBytes: number;
}

function copySize(state: LoaderState, offset: number, bytes: number): number {
  const { primary } = state;
  const scratch = scratchOf(state);
  if (offset + bytes <= firstTrailerSector(primary) * sectorBytes) return bytes;
  const untilTrailer = primary.area.sizeBytes - offset - primary.sizeBytes;
  return Math.min(untilTrailer, scratch.area.sizeBytes - scratch.sizeBytes);
}

function fillScratch(state: LoaderState, status: BootStatus, chunk: Chunk): void {
  const scratch = scratchOf(state);
  scratch.area.erase(0, scratch.area.sizeBytes);
  if (status.index === 1) {
    beginTrailer(state, scratch, status);
    if (!status.useScratch) {
      eraseTrailer(state.primary);
      beginTrailer(state, state.primary, status);
      scratch.area.erase(0, scratch.area.sizeBytes);
    }
  }
  copyRegion(
    { area: state.secondary.area, offset: chunk.offset },
    { area: scratch.area, offset: 0 },
    chunk.copyBytes,
  );
  writeStatus(state, status);
  status.state = 2;
}

function fillSecondary(state: LoaderState, status: BootStatus, chunk: Chunk): void {
  const { primary, secondary } = state;
  let eraseBytes = chunk.bytes;
  if (status.index === 1) {
    eraseTrailer(secondary);
    if (status.useScratch) eraseBytes = firstTrailerSector(secondary) * sectorBytes - chunk.offset;
  }
  if (eraseBytes > 0) secondary.area.erase(chunk.offset, eraseBytes);
  copyRegion(
    { area: primary.area, offset: chunk.offset },
    { area: secondary.area, offset: chunk.offset },
    chunk.copyBytes,
  );
  writeStatus(state, status);
  status.state = 3;
}

function fillPrimary(state: LoaderState, status: BootStatus, chunk: Chunk): void {
  const { primary } = state;
  const scratch = scratchOf(state);
  const usedScratch = status.useScratch;
  let eraseBytes = chunk.bytes;
  if (usedScratch) {
    eraseTrailer(primary);
    eraseBytes = firstTrailerSector(primary) * sectorBytes - chunk.offset;
  }
  if (eraseBytes > 0) primary.area.erase(chunk.offset, eraseBytes);
  copyRegion(
    { area: scratch.area, offset: 0 },
    { area: primary.area, offset: chunk.offset },
    chunk.copyBytes,
  );
  if (usedScratch) moveTrailerToPrimary(state, status, chunk);
  status.useScratch = false;
  writeStatus(state, status);
  status.index++;
  status.state = 1;
  // Backwards: a scratch area erased from its start would look like an image to copy if power
  // failed half way.
  if (usedScratch) scratch.area.erase(0, scratch.area.sizeBytes, "downwards");
}

function moveTrailerToPrimary(state: LoaderState, status: BootStatus, chunk: Chunk): void {
  const { primary } = state;
  const scratch = scratchOf(state);
  copyRegion(
    { area: scratch.area, offset: scratch.statusOffset(0) },
    { area: primary.area, offset: chunk.offset + chunk.copyBytes },
    2 * primary.area.writeBlockBytes,
  );
  const kept = scratch.readState();
  if (kept.imageOk === "set") primary.writeImageOk();
  if (kept.swapType !== "none") primary.writeSwapInfo(kept.swapType);
  primary.writeSwapSize(status.swapBytes);
  primary.writeMagic();
}

/** The scratch area's own trailer has the entries of one chunk only. */
function writeStatus(state: LoaderState, status: BootStatus): void {
  const trailer = status.useScratch ? scratchOf(state) : state.primary;
  trailer.writeStatusEntry((status.index - 1) * 3 + (status.state - 1), status.state);
}
