import type { HookBoard, PrimaryStateHook, PrimaryStateHookFactory } from "./primary-state-hook.ts";
import type { SwapState } from "./trailer.ts";

/** Boots that an unconfirmed image gets: the one of the swap itself, and one per tick. */
export const trialBoots = 3;

/**
 * Words of the `bootctl` page, one per write block of 4 bytes; a word is spent when it is not 0xffffffff.
 *
 * | offset | spent means                                            |
 * | ------ | ------------------------------------------------------ |
 * | 0      | the unconfirmed image had its second boot              |
 * | 4      | ... and its third                                      |
 * | 8      | no boot is left and the revert was begun (the marker)  |
 */
const tickOffsets = [0, 4] as const;
const markerOffset = 8;

/**
 * Our trial-boot hook, the TypeScript twin of bootloader/hook/trial_boot.c: an unconfirmed image gets three boots,
 * and no power cut makes it stay for good.
 */
export const trialHook: PrimaryStateHookFactory = () => decideOnce(decideWithMarker);

/**
 * The first sketch of the hook, known to be bad: a cut at the start of a revert leaves a permanent request for the
 * old image, which downgrade prevention refuses, and then the unconfirmed image stays. Only for tests of checkers.
 */
export const firstSketchHook: PrimaryStateHookFactory = () => decideOnce(decideWithoutMarker);

/** The bootloader asks several times per boot; one decision holds for all. */
function decideOnce(decide: PrimaryStateHook): PrimaryStateHook {
  let decision: SwapState | null = null;
  return (board) => {
    decision ??= decide(board);
    return decision;
  };
}

function decideWithMarker(board: HookBoard): SwapState {
  const primary = repairTornFlags(board.readPrimaryState());
  const secondary = board.readSecondaryState();
  if (isSpent(board, markerOffset)) {
    if (isSettled(primary)) {
      clear(board);
      return primary;
    }
    if (secondary.magic !== "unset") board.eraseSecondaryTrailer();
    return { ...primary, magic: "good", copyDone: "set", imageOk: "unset" };
  }
  if (secondary.magic === "good") {
    clear(board);
    return primary;
  }
  if (!isOnTrial(primary)) return primary;
  if (spendTick(board)) return { ...primary, imageOk: "set" };
  spend(board, markerOffset);
  return primary;
}

function decideWithoutMarker(board: HookBoard): SwapState {
  const primary = board.readPrimaryState();
  if (board.readSecondaryState().magic === "good") {
    clear(board);
    return primary;
  }
  return isOnTrial(primary) && spendTick(board) ? { ...primary, imageOk: "set" } : primary;
}

/** A flag that was torn while it was programmed reads "bad", which no row of MCUboot's table matches. */
function repairTornFlags(state: SwapState): SwapState {
  if (state.magic !== "good") return state;
  return {
    ...state,
    copyDone: state.copyDone === "bad" ? "set" : state.copyDone,
    imageOk: state.imageOk === "bad" ? "set" : state.imageOk,
  };
}

function isOnTrial({ magic, copyDone, imageOk }: SwapState): boolean {
  return magic === "good" && copyDone === "set" && imageOk === "unset";
}

function isSettled({ magic, copyDone, imageOk }: SwapState): boolean {
  return magic === "good" && copyDone === "set" && imageOk === "set";
}

/** Uses up one more boot; false when none is left. */
function spendTick(board: HookBoard): boolean {
  const next = tickOffsets.find((offset) => !isSpent(board, offset));
  if (next === undefined) return false;
  spend(board, next);
  return true;
}

function isSpent({ bootctl }: HookBoard, offset: number): boolean {
  const word = new Uint8Array(4);
  bootctl.read(offset, word);
  return word.some((byte) => byte !== 0xff);
}

function spend({ bootctl }: HookBoard, offset: number): void {
  bootctl.write(offset, new Uint8Array(4));
}

/** A fresh budget; a page that is blank is not worn by another erase. */
function clear(board: HookBoard): void {
  const used = [...tickOffsets, markerOffset].some((offset) => isSpent(board, offset));
  if (used) board.bootctl.erase(0, board.bootctl.sizeBytes);
}
