import type { State } from "../machine/state.ts";

/** What a device that sleeps is told: to stay awake for something, or how long it may sleep. */
export type SleepPlan =
  | {
      readonly kind: "stay";
      /**
       * `trial`: an image or a configuration has to prove itself. `swap`: a restart follows.
       * `work`: a check or a verification, which begins anew after a sleep. `exchange`: a request
       * is under way.
       */
      readonly reason: "trial" | "swap" | "work" | "exchange";
    }
  /** Sleep for at most so long; the next poll, or the rest of a download, is due then. */
  | { readonly kind: "sleep"; readonly forMs: number };

export interface SleepFacts {
  readonly state: State;
  /** A configuration is on trial. */
  readonly configurationOnTrial: boolean;
  readonly exchanging: boolean;
  /** Until the next poll. */
  readonly nextPollMs: number;
  /** Between two wakes of a download. */
  readonly downloadPauseMs: number;
}

/**
 * May the device sleep now? A download may stop anywhere: the slot tells where it goes on. A trial
 * runs in one go, as the bootloader counts its boots. All that makes a device stay is bounded: by
 * the time of a trial, of an exchange, or of hashing one image.
 */
export function planSleep(facts: SleepFacts): SleepPlan {
  const { state, configurationOnTrial, exchanging, nextPollMs, downloadPauseMs } = facts;
  switch (state.kind) {
    case "trial":
      return { kind: "stay", reason: "trial" };
    case "activating":
      return { kind: "stay", reason: "swap" };
    case "rollingBack":
      if (!state.waitsForPower) return { kind: "stay", reason: "swap" };
      break;
    case "checking":
    case "verifying":
      return { kind: "stay", reason: "work" };
    case "downloading":
      return { kind: "sleep", forMs: Math.min(downloadPauseMs, nextPollMs) };
    default:
  }
  if (configurationOnTrial) return { kind: "stay", reason: "trial" };
  if (exchanging) return { kind: "stay", reason: "exchange" };
  return { kind: "sleep", forMs: nextPollMs };
}
