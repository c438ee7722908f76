import { compareVersions } from "../../src/image/version.ts";
import { sectorBytes } from "../flash/geometry.ts";
import { BootctlPage, extraBoots } from "./bootctl-page.ts";
import { securityCounterOf } from "./image-check.ts";
import { decideOnce, isOnTrial, isSettled, repairTornFlags } from "./primary-state.ts";
import type { HookBoard, PrimaryStateHookFactory } from "./primary-state-hook.ts";
import { imageMagic, readRawHeader } from "./raw-header.ts";
import type { SwapState, Trailer } from "./trailer.ts";

/** Boots that an unconfirmed image gets: the one that the swap ends in, and the extra ones. */
export const trialBoots = 1 + extraBoots;

/**
 * Our trial-boot hook, the twin of bootloader/hook/trial_boot.c, where each rule has its reason: an
 * unconfirmed image gets three boots and no power cut makes it stay. Whether it is to be reverted
 * is read from the trailers alone; good/set/unset stands for a trailer's magic/copy_done/image_ok.
 *
 * | rule | when (the first that fits)                                                      | then            |
 * | ---- | ------------------------------------------------------------------------------- | --------------- |
 * | 1    | primary good, copy_done unset, type revert; secondary magic good                | revert          |
 * | 2    | secondary good, image_ok set, type none, a swap size; primary not good/set/set  | revert          |
 * | 3    | an update is requested, and not rule 4                                          | a fresh budget  |
 * | 4    | primary good/set/unset, and the requested image is older                        | revert          |
 * | 5    | primary good/set/unset, a boot is left                                          | spend it, stay  |
 * | 6    | primary good/set/unset                                                          | revert          |
 * | 7    | anything else                                                                   | as MCUboot does |
 */
export const trialHook: PrimaryStateHookFactory = () => decideOnce(decide);

function decide(board: HookBoard): SwapState {
  const primary = repairTornFlags(board.primary.readState());
  const secondary = board.secondary.readState();
  const page = new BootctlPage(board.bootctl);
  if (revertReachedPrimary(primary, secondary) || revertWasStarted(board, primary, secondary))
    return revert(board, primary, secondary);
  if (secondary.magic === "good" && secondary.imageOk !== "bad") {
    if (isOnTrial(primary) && offeredImageIsOlder(board)) return revert(board, primary, secondary);
    page.refresh();
    return primary;
  }
  if (!isOnTrial(primary)) return primary;
  return page.spendBoot() ? { ...primary, imageOk: "set" } : revert(board, primary, secondary);
}

/** Rule 1: the primary's trailer says that a revert is under way. */
function revertReachedPrimary(primary: SwapState, secondary: SwapState): boolean {
  return (
    primary.magic === "good" &&
    primary.copyDone === "unset" &&
    primary.swapType === "revert" &&
    secondary.magic === "good"
  );
}

/**
 * Rule 2: only MCUboot writes such a secondary trailer, when it starts a revert; an application
 * writes no size.
 */
function revertWasStarted(board: HookBoard, primary: SwapState, secondary: SwapState): boolean {
  return (
    !isSettled(primary) &&
    secondary.magic === "good" &&
    secondary.imageOk === "set" &&
    secondary.swapType === "none" &&
    board.secondary.readSwapSize() !== 0xffffffff
  );
}

/**
 * Brings flash to the state from which MCUboot reverts from its first step, and reports that state.
 * The primary trailer alone must say so before the secondary's is erased; after a cut anywhere in
 * between a rule matches again.
 */
function revert(board: HookBoard, primary: SwapState, secondary: SwapState): SwapState {
  new BootctlPage(board.bootctl).spendEverything();
  if (!isOnTrial(primary) && !revertReachedPrimary(primary, secondary)) {
    eraseLastSector(board.primary);
    board.primary.writeCopyDone();
    board.primary.writeMagic();
  }
  if (secondary.magic !== "unset") eraseLastSector(board.secondary);
  return { ...primary, magic: "good", copyDone: "set", imageOk: "unset" };
}

function eraseLastSector({ area }: Trailer): void {
  area.erase(area.sizeBytes - sectorBytes, sectorBytes);
}

/**
 * True when downgrade prevention would refuse the image in the secondary slot, or its version is
 * the lower one.
 */
function offeredImageIsOlder({ primary, secondary }: HookBoard): boolean {
  const running = imageOf(primary);
  const offered = imageOf(secondary);
  if (running.header.magic !== imageMagic || offered.header.magic !== imageMagic) return false;
  const runningCounter = securityCounterOf(running);
  if (runningCounter !== null) {
    const offeredCounter = securityCounterOf(offered);
    if (offeredCounter === null || offeredCounter < runningCounter) return true;
    if (offeredCounter > runningCounter) return false;
  }
  return compareVersions(offered.header.version, running.header.version) < 0;
}

function imageOf({ area }: Trailer): Parameters<typeof securityCounterOf>[0] {
  return { area, header: readRawHeader(area, 0), startOffset: 0 };
}
