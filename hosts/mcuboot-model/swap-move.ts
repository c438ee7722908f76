import { sectorBytes } from "../flash/geometry.ts";
import { copyRegion } from "./boot-area.ts";
import {
  type BootStatus,
  eraseTrailer,
  type LoaderState,
  type SlotName,
  type SwapAlgorithm,
} from "./loader-state.ts";
import { imageMagic, readRawHeader } from "./raw-header.ts";
import {
  beginTrailer,
  firstTrailerSector,
  sectorsToSwap,
  statusSourceOfTwoSlots,
  writtenEntries,
} from "./swap-algorithm.ts";

/**
 * Swap using move: the primary image moves up by one sector, then the sectors change places from
 * below.
 *
 * | phase | for sector          | does                                     | status entry |
 * | ----- | ------------------- | ---------------------------------------- | ------------ |
 * | move  | last down to first  | primary i to primary i + 1               | 1            |
 * | swap  | first up to last    | secondary i to primary i                 | 1            |
 * |       |                     | primary i + 1 to secondary i             | 2            |
 */
export const swapUsingMove: SwapAlgorithm = {
  usesScratch: false,
  hasTlvSizes: false,
  firstOp: "move",

  slotsAreCompatible({ primary, secondary, config }) {
    const spare = primary.area.sectors - secondary.area.sectors;
    return (spare === 0 || spare === 1) && primary.area.sectors <= config.imageSectorsMax;
  },

  imageBytesMax({ primary, secondary }) {
    const trailerBytes = Math.ceil(primary.sizeBytes / sectorBytes) * sectorBytes;
    return Math.min(
      primary.area.sizeBytes - trailerBytes - sectorBytes,
      secondary.area.sizeBytes - trailerBytes,
    );
  },

  statusSource: statusSourceOfTwoSlots,

  readProgress({ config }, trailer, status) {
    const done = writtenEntries(trailer);
    const moves = config.imageSectorsMax;
    if (done === 0) return;
    if (done < moves) {
      Object.assign(status, { op: "move", index: done + 1, state: 1 });
      return;
    }
    const swaps = done - moves;
    Object.assign(status, { op: "swap", index: Math.floor(swaps / 2) + 1, state: (swaps % 2) + 1 });
  },

  readHeader(state, slot, status) {
    const place = headerPlace(state, slot, status);
    state.headers[slot] = readRawHeader(state[place.slot].area, place.offset);
    return status === null || state.headers[slot].magic === imageMagic;
  },

  progressTrailer: ({ primary }) => primary,

  run(state, status, copyBytes) {
    const last = sectorsToSwap(copyBytes);
    const noRoom = last >= firstTrailerSector(state.primary);
    if (state.statusIsReset(status) && noRoom) {
      status.swapType = "none";
      return;
    }
    markRevert(state, status);
    if (status.op === "move") {
      for (let index = last; index > 0; index--)
        if (index <= (last - status.index + 1) >>> 0) moveSectorUp(state, status, index);
      status.index = 1;
    }
    status.op = "swap";
    for (let index = 1; index <= last; index++)
      if (index >= status.index) swapSector(state, status, index);
  },
};

/** Where the header of a slot's image is at this point of a swap. */
function headerPlace(
  state: LoaderState,
  slot: SlotName,
  status: BootStatus | null,
): { slot: SlotName; offset: number } {
  if (status === null || state.statusIsReset(status)) return { slot, offset: 0 };
  const last = sectorsToSwap(state.primary.readSwapSize());
  if (status.op === "move")
    return { slot, offset: slot === "primary" && status.index > last ? sectorBytes : 0 };
  if (status.index > 1 && status.index <= last)
    return { slot: slot === "primary" ? "secondary" : "primary", offset: 0 };
  if (status.index === 1) {
    if (slot === "primary") return { slot, offset: sectorBytes };
    if (status.state === 2) return { slot: "primary", offset: 0 };
  }
  return { slot, offset: 0 };
}

/**
 * fixup_revert: a revert starts by asking for the old image like a permanent upgrade in the
 * secondary trailer, so that a cut before the primary trailer is written anew does not lose it.
 */
function markRevert(state: LoaderState, status: BootStatus): void {
  if (status.swapType !== "revert" || status.op !== "move" || status.index !== 1) return;
  if (state.secondary.readMagic() !== "unset") return;
  eraseTrailer(state.secondary);
  state.secondary.writeImageOk();
  state.secondary.writeSwapSize(status.swapBytes);
  state.secondary.writeMagic();
}

/** boot_move_sector_up: primary sector `to - 1` moves to `to`. */
function moveSectorUp(state: LoaderState, status: BootStatus, to: number): void {
  const { primary, secondary } = state;
  if (status.index === 1) {
    if (status.source !== "primary") {
      eraseTrailer(primary);
      beginTrailer(state, primary, status);
    }
    eraseTrailer(secondary);
  }
  const offset = to * sectorBytes;
  primary.area.erase(offset, sectorBytes);
  copyRegion(
    { area: primary.area, offset: offset - sectorBytes },
    { area: primary.area, offset },
    sectorBytes,
  );
  writeStatus(state, status);
  status.index++;
}

/**
 * boot_swap_sectors: the sectors below `index` change places, the primary one coming from `index`.
 */
function swapSector(state: LoaderState, status: BootStatus, index: number): void {
  const primary = state.primary.area;
  const secondary = state.secondary.area;
  const offset = (index - 1) * sectorBytes;
  if (status.state === 1) {
    primary.erase(offset, sectorBytes);
    copyRegion({ area: secondary, offset }, { area: primary, offset }, sectorBytes);
    writeStatus(state, status);
    status.state = 2;
  }
  secondary.erase(offset, sectorBytes);
  copyRegion(
    { area: primary, offset: index * sectorBytes },
    { area: secondary, offset },
    sectorBytes,
  );
  writeStatus(state, status);
  status.index++;
  status.state = 1;
}

function writeStatus({ primary, config }: LoaderState, status: BootStatus): void {
  const base = status.op === "move" ? 0 : config.imageSectorsMax;
  const perIndex = status.op === "move" ? 1 : 2;
  primary.writeStatusEntry(base + (status.index - 1) * perIndex + (status.state - 1), status.state);
}
