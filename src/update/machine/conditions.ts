import type { AcceptedOffer } from "../../offer/offer.ts";
import { decidePower, describeDeferral, type PowerStep } from "../../policy/power.ts";
import { decideWindow, type WindowStep } from "../../policy/windows.ts";
import type { Context } from "./event.ts";
import type { DeferralReason } from "./reasons.ts";
import type { ResumableState, State } from "./state.ts";

/** What an update has to wait for. */
export interface Obstacle {
  readonly reason: DeferralReason;
  /** When it is expected to be gone, or null. */
  readonly untilUnixMs: number | null;
  /** The numbers, for the report. */
  readonly detail: string | null;
}

/**
 * What keeps the step of this state from beginning or going on, or null. The charge goes first, as
 * a window that opens is of no use without it; approval goes before both, as it can take longest.
 *
 * | step        | approval | charge for all that is left | window   |
 * | checking    |         | yes                         |          |
 * | downloading |         | yes                         | download |
 * | staged      | yes     | yes, and its own threshold  | install, and the server's |
 */
export function obstacleTo(
  state: ResumableState,
  context: Context,
  options: { readonly wasDeferred: boolean },
): Obstacle | null {
  const { wasDeferred } = options;
  switch (state.kind) {
    case "checking":
      return weakBattery(
        "download",
        { bytes: state.offer.fileBytes, left: 1, wasDeferred },
        context,
      );
    case "downloading": {
      const { fileBytes } = state.offer;
      const landed = state.prepared ? Math.min(context.landedBytes, fileBytes) : 0;
      const left = (fileBytes - landed) / fileBytes;
      const size = { bytes: fileBytes, left, wasDeferred };
      return weakBattery("download", size, context) ?? closed("download", state.offer, context);
    }
    case "staged": {
      const size = { bytes: state.offer.fileBytes, left: 0, wasDeferred };
      return (
        missingApproval(state.offer, context) ??
        weakBattery("activate", size, context) ??
        closed("install", state.offer, context)
      );
    }
    default:
      return state satisfies never;
  }
}

/**
 * May the device swap back now? A swap costs the same in both directions, and cannot be stopped.
 */
export function canAffordRollback(context: Context): boolean {
  const { power, powerPolicy, runningBytes } = context;
  const work = { downloadBytes: 0, swapBytes: runningBytes, trialBoots: 1, trialSecondsPerBoot: 0 };
  return decidePower({ step: "activate", power, work, wasDeferred: false }, powerPolicy).allowed;
}

/** What time alone can change: the battery fills and empties, a window closes. */
export function wantsTicks(state: State): boolean {
  if (state.kind === "deferred") return state.reason === "low-battery" || state.reason === "energy";
  return state.kind === "downloading" || state.kind === "rollingBack";
}

interface Size {
  readonly bytes: number;
  /** The share of it that is still to be downloaded. */
  readonly left: number;
  readonly wasDeferred: boolean;
}

function weakBattery(step: PowerStep, size: Size, context: Context): Obstacle | null {
  const { power, powerPolicy, trial, runningBytes } = context;
  const work = {
    downloadBytes: Math.ceil(size.bytes * size.left),
    swapBytes: Math.max(size.bytes, runningBytes),
    trialBoots: trial.boots,
    trialSecondsPerBoot: trial.secondsPerBoot,
  };
  const decision = decidePower({ step, power, work, wasDeferred: size.wasDeferred }, powerPolicy);
  if (decision.allowed) return null;
  return { reason: decision.reason, untilUnixMs: null, detail: describeDeferral(decision) };
}

function closed(step: WindowStep, offer: AcceptedOffer, context: Context): Obstacle | null {
  const { windows, unixMs, windowOpen } = context;
  const fix = { byServer: offer.forced, bySignedRelease: offer.overridesWindows };
  const decision = decideWindow(step, windows, unixMs, fix);
  if (!decision.allowed)
    return { reason: decision.reason, untilUnixMs: decision.opensAtUnixMs, detail: null };
  const byServer = step === "download" || windowOpen || (fix.byServer && fix.bySignedRelease);
  if (byServer) return null;
  return { reason: "window-closed", untilUnixMs: null, detail: "by the server" };
}

function missingApproval(offer: AcceptedOffer, context: Context): Obstacle | null {
  const { asksBeforeInstall, approvedFile } = context;
  if (!asksBeforeInstall || approvedFile === offer.fileHash) return null;
  return { reason: "approval", untilUnixMs: null, detail: null };
}
