import { BootctlPage } from "./bootctl-page.ts";
import { eraseTrailer } from "./loader-state.ts";
import { decideOnce, isOnTrial, isSettled, repairTornFlags } from "./primary-state.ts";
import type { HookBoard, PrimaryStateHookFactory } from "./primary-state-hook.ts";
import type { SwapState } from "./trailer.ts";

// Designs of the trial-boot hook that were given up. Checkers of trial boots must tell them from
// the one we ship.

/**
 * The first sketch: it only counts. A cut at the start of a revert leaves a permanent request for
 * the old image, which downgrade prevention refuses when the counter was raised, and then the
 * unconfirmed image stays.
 */
export const countingHook: PrimaryStateHookFactory = () => decideOnce(decideByCounting);

/**
 * The second: before the revert it writes a marker, entry 2, and until the old image is settled
 * everything is a revert. Cuts do not beat it, but it believes the page: with garbage there, or a
 * marker that outlived a revert that could not happen, the next update is installed for good
 * without a trial.
 */
export const markerHook: PrimaryStateHookFactory = () => decideOnce(decideByMarker);

const markerEntry = 2;

function decideByCounting({ primary: trailer, secondary, bootctl }: HookBoard): SwapState {
  const primary = trailer.readState();
  const page = new BootctlPage(bootctl);
  if (secondary.readMagic() === "good") {
    page.refresh();
    return primary;
  }
  return isOnTrial(primary) && page.spendBoot() ? { ...primary, imageOk: "set" } : primary;
}

function decideByMarker({ primary: trailer, secondary, bootctl }: HookBoard): SwapState {
  const primary = repairTornFlags(trailer.readState());
  const page = new BootctlPage(bootctl);
  const secondaryMagic = secondary.readMagic();
  if (page.isSpent(markerEntry)) {
    if (isSettled(primary)) {
      page.refresh();
      return primary;
    }
    if (secondaryMagic !== "unset") eraseTrailer(secondary);
    return { ...primary, magic: "good", copyDone: "set", imageOk: "unset" };
  }
  if (secondaryMagic === "good") {
    page.refresh();
    return primary;
  }
  if (!isOnTrial(primary)) return primary;
  if (page.spendBoot()) return { ...primary, imageOk: "set" };
  page.spend(markerEntry);
  return primary;
}
