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
import { requestedSwapType } from "./swap-type.ts";

/**
 * Swap using offset: the new image waits one sector up in the secondary slot, so that each sector
 * has a free place.
 *
 * | swap    | order      | status entry 1             | status entry 2             |
 * | ------- | ---------- | -------------------------- | -------------------------- |
 * | upgrade | ascending  | primary i to secondary i   | secondary i + 1 to primary i |
 * | revert  | descending | primary i to secondary i + 1 | secondary i to primary i |
 */
export const swapUsingOffset: SwapAlgorithm = {
  usesScratch: false,
  hasTlvSizes: true,
  firstOp: "swap",

  slotsAreCompatible({ primary, secondary, config }) {
    const spare = secondary.area.sectors - primary.area.sectors;
    return (spare === 0 || spare === 1) && primary.area.sectors <= config.imageSectorsMax;
  },

  imageBytesMax({ primary, secondary }) {
    const trailerBytes = Math.ceil(primary.sizeBytes / sectorBytes) * sectorBytes;
    return Math.min(
      primary.area.sizeBytes - trailerBytes,
      secondary.area.sizeBytes - trailerBytes - sectorBytes,
    );
  },

  statusSource: statusSourceOfTwoSlots,

  readProgress(_state, trailer, status) {
    const done = writtenEntries(trailer);
    if (done === 0) return;
    Object.assign(status, { index: Math.floor(done / 2) + 1, state: (done % 2) + 1 });
  },

  readHeader(state, slot, status) {
    const resumes = status !== null && !state.statusIsReset(status);
    const place = resumes ? headerPlace(state, slot, status) : restingPlace(state, slot, status);
    let { offset } = place;
    state.headers[slot] = readRawHeader(state[place.slot].area, offset);
    if (!resumes && slot === "secondary" && state.headers[slot].magic !== imageMagic) {
      offset = requestedSwapType(state) === "revert" ? sectorBytes : 0;
      state.headers[slot] = readRawHeader(state.secondary.area, offset);
    }
    if (status === null) return true;
    if (state.headers[slot].magic !== imageMagic) return false;
    if (place.slot === "secondary") state.secondaryStartOffset = offset;
    return true;
  },

  progressTrailer: ({ primary }) => primary,

  run(state, status, copyBytes) {
    const last = sectorsToSwap(copyBytes) - 1;
    const noRoom = last >= firstTrailerSector(state.primary);
    if (state.statusIsReset(status) && noRoom) {
      status.swapType = "none";
      return;
    }
    markRevert(state, status);
    if (status.index === 1) {
      if (status.source !== "primary") {
        eraseTrailer(state.primary);
        beginTrailer(state, state.primary, status);
      }
      eraseTrailer(state.secondary);
    }
    swapSectors(state, status, last);
  },
};

/** The header of an image that no swap has moved; a guess that readHeader corrects. */
function restingPlace(
  state: LoaderState,
  slot: SlotName,
  status: BootStatus | null,
): { slot: SlotName; offset: number } {
  const atStart = slot === "primary" || status?.swapType === "revert" || wantsRevert(state);
  return { slot, offset: atStart ? 0 : sectorBytes };
}

/** Where the header of a slot's image is at this point of a swap. */
function headerPlace(
  state: LoaderState,
  slot: SlotName,
  status: BootStatus,
): { slot: SlotName; offset: number } {
  const last = sectorsToSwap(state.primary.readSwapSize()) - 1;
  const done = status.index - 1;
  if (status.swapType === "revert" || wantsRevert(state)) {
    const passed = (step: number): boolean =>
      done > last || (done === last && status.state === step);
    if (slot === "primary")
      return passed(2) ? { slot: "secondary", offset: sectorBytes } : { slot, offset: 0 };
    return passed(3) ? { slot: "primary", offset: 0 } : { slot, offset: 0 };
  }
  if (slot === "primary") {
    const copied = status.index > 1 || (status.index === 1 && status.state === 2);
    return { slot: copied && status.index <= last ? "secondary" : "primary", offset: 0 };
  }
  return status.index > 1 ? { slot: "primary", offset: 0 } : { slot, offset: sectorBytes };
}

function wantsRevert(state: LoaderState): boolean {
  return requestedSwapType(state) === "revert";
}

/** fixup_revert: the secondary trailer remembers that a revert was about to begin. */
function markRevert(state: LoaderState, status: BootStatus): void {
  if (status.swapType !== "revert" || status.index !== 1) return;
  if (state.secondary.readMagic() !== "unset") return;
  eraseTrailer(state.secondary);
  state.secondary.writeCopyDone();
  beginTrailer(state, state.secondary, status);
}

function swapSectors(state: LoaderState, status: BootStatus, last: number): void {
  const [primaryTlvBytes, secondaryTlvBytes] = state.primary.readTlvSizes();
  const used = {
    primary: usedSectors(state, "primary", primaryTlvBytes),
    secondary: usedSectors(state, "secondary", secondaryTlvBytes),
  };
  const reverts = status.swapType === "revert" || wantsRevert(state);
  for (let index = 0; index <= last; index++)
    if (index >= status.index - 1)
      swapSector(state, status, reverts ? last - index : index, reverts, used);
  if (!reverts) return;
  state.secondary.area.erase(0, sectorBytes);
  eraseTrailer(state.secondary);
}

/** Sectors of the image that belongs to a slot, from the header as it was found for this boot. */
function usedSectors(state: LoaderState, slot: SlotName, unprotectedTlvBytes: number): number {
  const { headerBytes, protectedTlvBytes, payloadBytes } = state.headers[slot];
  const bytes = (headerBytes + unprotectedTlvBytes + protectedTlvBytes + payloadBytes) >>> 0;
  return Math.floor(((bytes + sectorBytes - 1) >>> 0) / sectorBytes);
}

/**
 * boot_swap_sectors and boot_swap_sectors_revert: sectors beyond the image are only counted, not
 * copied.
 */
function swapSector(
  state: LoaderState,
  status: BootStatus,
  sector: number,
  reverts: boolean,
  used: { readonly primary: number; readonly secondary: number },
): void {
  const primary = state.primary.area;
  const secondary = state.secondary.area;
  const here = sector * sectorBytes;
  const above = here + sectorBytes;
  if (status.state === 1) {
    if (sector <= used.primary) {
      const offset = reverts ? above : here;
      secondary.erase(offset, sectorBytes);
      copyRegion({ area: primary, offset: here }, { area: secondary, offset }, sectorBytes);
    }
    writeStatus(state, status);
    status.state = 2;
  }
  if (sector <= used.secondary) {
    const offset = reverts ? here : above;
    primary.erase(here, sectorBytes);
    copyRegion({ area: secondary, offset }, { area: primary, offset: here }, sectorBytes);
  }
  writeStatus(state, status);
  status.index++;
  status.state = 1;
}

function writeStatus({ primary }: LoaderState, status: BootStatus): void {
  primary.writeStatusEntry((status.index - 1) * 2 + (status.state - 1), status.state);
}
