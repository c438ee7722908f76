import type { PrimaryStateHook } from "./primary-state-hook.ts";
import type { SwapState } from "./trailer.ts";

/** The bootloader asks several times per boot; one decision holds for all. */
export function decideOnce(decide: PrimaryStateHook): PrimaryStateHook {
  let decision: SwapState | null = null;
  return (board) => {
    decision ??= decide(board);
    return decision;
  };
}

/**
 * A flag that was torn while it was programmed reads "bad", which no row of MCUboot's table
 * matches.
 */
export function repairTornFlags(state: SwapState): SwapState {
  if (state.magic !== "good") return state;
  return {
    ...state,
    copyDone: state.copyDone === "bad" ? "set" : state.copyDone,
    imageOk: state.imageOk === "bad" ? "set" : state.imageOk,
  };
}

/** An image that a swap brought and nobody confirmed. */
export function isOnTrial({ magic, copyDone, imageOk }: SwapState): boolean {
  return magic === "good" && copyDone === "set" && imageOk === "unset";
}

/** An image that a swap brought and that stays. */
export function isSettled({ magic, copyDone, imageOk }: SwapState): boolean {
  return magic === "good" && copyDone === "set" && imageOk === "set";
}
