import { sectorBytes } from "../flash/geometry.ts";
import { bootAssert } from "./boot-area.ts";
import { imageSize, isNonBootable, type PlacedImage, securityCounterOf } from "./image-check.ts";
import { type BootStatus, eraseTrailer, type LoaderState, type SlotName } from "./loader-state.ts";
import { compareWithoutBuild, erasedMagic, imageMagic, readRawHeader } from "./raw-header.ts";
import { movesImages, requestedSwapType } from "./swap-type.ts";

/** context_boot_go of loader.c: true when the primary image may start, false when nothing can. */
export function runLoader(state: LoaderState): boolean {
  const status = prepareUpdate(state);
  performDecision(state, status);
  if (state.swapType !== "none" && !readHeaders(state, false, null)) return false;
  if (!primaryMayStart(state)) return false;
  return followHardwareCounter(state);
}

/** boot_prepare_image_for_update: finishes an interrupted swap, else decides what to do. */
function prepareUpdate(state: LoaderState): BootStatus {
  const status = state.resetStatus();
  const sectorsMax = state.config.imageSectorsMax;
  if (state.primary.area.sectors > sectorsMax) return status; // boot_read_sectors fails
  if (!readHeaders(state, false, null)) return status;
  if (state.secondary.area.sectors > sectorsMax || !state.algorithm.slotsAreCompatible(state))
    return status;
  readStatus(state, status);
  const interrupted = !state.statusIsReset(status);
  if (!readHeaders(state, interrupted, status)) return status;
  if (interrupted) {
    finishSwap(state, status);
    bootAssert(readHeaders(state, false, null), "no header after a resumed swap");
    state.swapType = "none";
  } else if (status.swapType === "none") {
    state.swapType = validatedSwapType(state, status);
  } else {
    const valid = checkSlot(state, "secondary", status, "none");
    state.swapType = valid ? status.swapType : "fail";
  }
  return status;
}

/** swap_read_status. */
function readStatus(state: LoaderState, status: BootStatus): void {
  status.source = state.algorithm.statusSource(state);
  if (status.source === "none") return;
  const trailer = status.source === "scratch" ? state.scratch : state.primary;
  bootAssert(trailer !== null, "no scratch area");
  state.algorithm.readProgress(state, trailer, status);
  status.swapType = trailer.readSwapInfoType();
}

/** boot_read_image_headers. */
function readHeaders(state: LoaderState, requireAll: boolean, status: BootStatus | null): boolean {
  if (!state.algorithm.readHeader(state, "primary", status)) return false;
  return state.algorithm.readHeader(state, "secondary", status) || !requireAll;
}

/** boot_validated_swap_type. */
function validatedSwapType(state: LoaderState, status: BootStatus): LoaderState["swapType"] {
  const type = requestedSwapType(state);
  if (!movesImages(type)) return type;
  return checkSlot(state, "secondary", status, type) ? type : "none";
}

/** boot_validate_slot: a secondary slot that does not hold a valid image is erased. */
function checkSlot(
  state: LoaderState,
  slot: SlotName,
  status: BootStatus | null,
  requested: LoaderState["swapType"],
): boolean {
  const header = state.headers[slot];
  if (header.magic === erasedMagic || isNonBootable(header)) {
    if (slot === "secondary") dropRequest(state, status);
    return false;
  }
  if (!isMisplaced(state, slot, status, requested) && state.imageIsValid(slot)) return true;
  if (slot === "secondary") eraseSecondary(state);
  return false;
}

/** There is no image to swap in: only the request for it is erased. */
function dropRequest(state: LoaderState, status: BootStatus | null): void {
  eraseTrailer(state.secondary);
  if (state.config.mode !== "swap-using-move") return;
  const reverts = status?.swapType === "revert" || requestedSwapType(state) === "revert";
  if (reverts) eraseTrailer(state.primary); // a revert that can never happen
}

/** Swap using offset: an image that starts in sector 0 was written to the wrong place. */
function isMisplaced(
  state: LoaderState,
  slot: SlotName,
  status: BootStatus | null,
  requested: LoaderState["swapType"],
): boolean {
  if (state.config.mode !== "swap-using-offset" || slot === "primary") return false;
  if (status === null || !state.statusIsReset(status)) return false;
  if (requested !== "test" && requested !== "perm") return false;
  return readRawHeader(state.secondary.area, 0).magic === imageMagic;
}

/** boot_scramble_slot: the whole slot, ascending. */
function eraseSecondary({ secondary: { area } }: LoaderState): void {
  area.erase(0, area.sectors * sectorBytes);
}

/** The switch over the decided swap type in context_boot_go. */
function performDecision(state: LoaderState, status: BootStatus): void {
  status.swapType = state.swapType;
  switch (state.swapType) {
    case "none":
      return;
    case "test":
    case "perm":
      if (isDowngrade(state)) {
        eraseSecondary(state);
        state.swapType = "none";
        return;
      }
      performSwap(state, status);
      return;
    case "revert":
      performSwap(state, status);
      return;
    case "fail":
      confirmPrimary(state);
      return;
    case "panic":
    case "unknown":
      bootAssert(false, "the trailer names an unknown swap type");
  }
}

/** check_downgrade_prevention: an equal version or counter is no downgrade. */
function isDowngrade(state: LoaderState): boolean {
  const { downgradePrevention } = state.config;
  if (downgradePrevention === "none") return false;
  if (downgradePrevention === "version")
    return compareWithoutBuild(state.headers.secondary.version, state.headers.primary.version) < 0;
  const running = securityCounterOf(state.image("primary"));
  if (running === null) return false;
  const next = securityCounterOf(state.image("secondary"));
  return next === null || running > next;
}

/** boot_perform_update. */
function performSwap(state: LoaderState, status: BootStatus): void {
  swapImages(state, status);
  const type = state.swapType;
  if (type === "revert" || type === "perm") confirmPrimary(state);
  const counted = type !== "perm" || raiseCounterToNewImage(state);
  state.primary.writeCopyDone();
  bootAssert(counted, "the new image has no security counter");
}

/**
 * A permanent image will never be reverted: the counter follows it at once. The headers are still
 * those from before.
 */
function raiseCounterToNewImage(state: LoaderState): boolean {
  if (state.config.hardwareCounter === null) return true;
  return raiseCounter(state, { ...state.image("primary"), header: state.headers.secondary });
}

/** boot_complete_partial_swap. */
function finishSwap(state: LoaderState, status: BootStatus): void {
  state.resumed = true;
  swapImages(state, status);
  if (status.swapType === "revert" || status.swapType === "perm") confirmPrimary(state);
  if (movesImages(status.swapType)) state.primary.writeCopyDone();
  bootAssert(status.swapType !== "panic", "panic");
}

/**
 * boot_swap_image: the size of a new swap is that of the larger image, of a resumed one what the
 * trailer says.
 */
function swapImages(state: LoaderState, status: BootStatus): void {
  status.swapBytes = state.statusIsReset(status)
    ? Math.max(sizeOf(state, "primary"), sizeOf(state, "secondary"))
    : state.algorithm.progressTrailer(state).readSwapSize();
  state.swapRan = true;
  state.algorithm.run(state, status, status.swapBytes);
}

function sizeOf(state: LoaderState, slot: SlotName): number {
  if (state.headers[slot].magic !== imageMagic) return 0;
  const size = imageSize(state.image(slot));
  bootAssert(size !== null, `the TLVs of the ${slot} image are unreadable`);
  state.unprotectedTlvBytes[slot] = size.unprotectedTlvBytes;
  return size.totalBytes;
}

/** swap_set_image_ok. */
function confirmPrimary({ primary }: LoaderState): void {
  if (primary.readState().imageOk === "unset") primary.writeImageOk();
}

function primaryMayStart(state: LoaderState): boolean {
  if (state.config.validatePrimary) return checkSlot(state, "primary", null, "none");
  return state.headers.primary.magic === imageMagic;
}

/** boot_update_hw_rollback_protection: only a confirmed image raises the counter. */
function followHardwareCounter(state: LoaderState): boolean {
  if (state.config.hardwareCounter === null) return true;
  const { magic, imageOk } = state.primary.readState();
  if (magic === "good" && imageOk !== "set") return true;
  return raiseCounter(state, state.image("primary"));
}

function raiseCounter(state: LoaderState, image: PlacedImage): boolean {
  const value = securityCounterOf(image);
  if (value === null) return false;
  state.config.hardwareCounter?.raise(value);
  return true;
}
