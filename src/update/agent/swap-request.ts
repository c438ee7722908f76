import type { AcceptedOffer } from "../../offer/offer.ts";
import type { Log } from "../../ports/board.ts";
import type { RequestResult, Slots } from "../../slots/slots.ts";
import type { Event } from "../machine/event.ts";

/**
 * What the start of the firmware makes of the bootloader under it: said in the log when it is not
 * what it should be, and the end of a trial when no other image could ever follow this one.
 */
export function judgeBootloader(slots: Slots, log: Log, happened: (event: Event) => void): void {
  const { bootloader, bootloaderRefusal } = slots;
  const boot = slots.trialBoot();
  if (boot !== null) log.write("info", `boot ${boot} of its trial`);
  if (slots.confirmation() === "torn")
    log.write("warn", "confirm-torn: a cut fell into the confirmation; it counts, MCUboot says no");
  if (bootloaderRefusal !== null) {
    log.write("error", `no updates: ${bootloaderRefusal.message}`);
    const { reason } = bootloaderRefusal;
    if (reason === "bootloader-mode") happened({ kind: "trialEnded", reason });
  } else if (bootloader.kind !== "stated" && bootloader.kind !== "not-told")
    log.write("warn", `bootloader ${slots.bootloaderText}: taken to swap using move`);
}

/**
 * First half of a request. Looks once more at what would be swapped in, and by what: the slot may
 * be another's when the storage lost a state, the bootloader another since the image was staged.
 */
export function prepareSwap(slots: Slots, offer: AcceptedOffer): Event {
  const stored = slots.secondaryFacts();
  const { bootloaderRefusal } = slots;
  if (bootloaderRefusal !== null) return { kind: "swapFailed", reason: bootloaderRefusal.reason };
  if (stored === null) return { kind: "swapFailed", reason: "flash-error" };
  if (stored.imageHash !== offer.imageHash) return { kind: "swapFailed", reason: "hash-mismatch" };
  return eventOf("swapPrepared", slots.prepareSwap());
}

/** Second half: from here on the bootloader may swap. */
export function requestSwap(slots: Slots): Event {
  return eventOf("swapRequested", slots.requestSwap());
}

/** The image before this one, for good. */
export function requestRollback(slots: Slots): Event {
  return { kind: slots.requestRollback().ok ? "rollbackRequested" : "rollbackFailed" };
}

function eventOf(done: "swapPrepared" | "swapRequested", result: RequestResult): Event {
  return result.ok ? { kind: done } : { kind: "swapFailed", reason: result.reason };
}
