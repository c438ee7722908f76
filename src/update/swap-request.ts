import type { RequestResult, Slots } from "../slots/slots.ts";
import type { Event } from "./event.ts";
import type { Release } from "./release.ts";

/**
 * First half of a request. Looks once more at what would be swapped in: the slot may be another's
 * when the storage lost a state.
 */
export function prepareSwap(slots: Slots, release: Release): Event {
  const stored = slots.secondaryFacts();
  if (stored === null) return { kind: "upgradeFailed", reason: "flash-error" };
  if (stored.imageHash !== release.imageHash)
    return { kind: "upgradeFailed", reason: "hash-mismatch" };
  return eventOf("requestPrepared", slots.prepareRequest());
}

/** Second half: from here on the bootloader may swap. */
export function requestSwap(slots: Slots): Event {
  return eventOf("upgradeRequested", slots.requestUpgrade());
}

/** The image before this one, for good. */
export function requestSwapBack(slots: Slots): Event {
  return { kind: slots.requestRollback().ok ? "rollbackRequested" : "rollbackFailed" };
}

function eventOf(done: "requestPrepared" | "upgradeRequested", result: RequestResult): Event {
  return result.ok ? { kind: done } : { kind: "upgradeFailed", reason: result.reason };
}
