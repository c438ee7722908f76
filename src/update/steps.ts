import { powerAllows } from "../policy/power.ts";
import type { Effect, Report } from "./effect.ts";
import type { Context } from "./event.ts";
import { asRelease, type DeferralReason, type FailureReason, type Offer } from "./release.ts";
import {
  type ActivatingState,
  type CheckingState,
  type ConfirmedState,
  type DeferredState,
  type DownloadingState,
  type FailedState,
  offerOf,
  type RolledBackState,
  type StagedState,
  type State,
} from "./state.ts";

/** What `transition` answers: the state to store, then what to do. */
export interface Transition {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/** A new offer, or none. */
export function take(offer: Offer | null, context: Context): Transition {
  if (offer === null) return idle();
  const release = asRelease(offer);
  if (release !== null && release.imageHash === context.running.imageHash)
    return enter({ kind: "confirmed", release });
  if (release !== null && context.refused.includes(release.imageHash))
    return fail(offer, "rolled-back-before", null);
  return begin({ kind: "checking", offer }, context);
}

/** Starts a step, or takes it up again, and tells the server. */
export function begin(
  state: CheckingState | DownloadingState | StagedState,
  context: Context,
): Transition {
  if (state.kind === "staged") return activate(state, context);
  const next = proceed(state, context);
  return next.state === state ? { state, effects: [...reportsOf(state), ...next.effects] } : next;
}

/** Goes on with a step that the server knows of, if the battery allows. */
export function proceed(state: CheckingState | DownloadingState, context: Context): Transition {
  if (!powerAllows("download", context.power, context.thresholds))
    return defer(state, "low-battery");
  if (state.kind === "checking") return { state, effects: [{ kind: "check", offer: state.offer }] };
  const kind = state.prepared ? "download" : "prepare";
  return { state, effects: [{ kind, release: state.release }] };
}

/** Swaps only inside the window and with the charge for it. */
export function activate(state: StagedState, context: Context): Transition {
  if (!powerAllows("activate", context.power, context.thresholds))
    return defer(state, "low-battery");
  if (!context.windowOpen) return defer(state, "window-closed");
  const { release } = state;
  const requests = state.requests + 1;
  const next: ActivatingState = { kind: "activating", release, requests, requested: false };
  return { state: next, effects: [...reportsOf(next), { kind: "prepareRequest", release }] };
}

function defer(
  resume: CheckingState | DownloadingState | StagedState,
  reason: DeferralReason,
): Transition {
  return enter({ kind: "deferred", reason, resume });
}

export function fail(
  offer: Offer,
  reason: FailureReason,
  resume: CheckingState | DownloadingState | null,
): Transition {
  return enter({ kind: "failed", offer, reason, resume });
}

/** A state in which there is nothing to do but to tell the server. */
export function enter(
  state: ConfirmedState | RolledBackState | DeferredState | FailedState,
): Transition {
  return { state, effects: reportsOf(state) };
}

export function idle(): Transition {
  return { state: { kind: "idle" }, effects: [] };
}

export function stay(state: State): Transition {
  return { state, effects: [] };
}

/** What the server hears on entering a state (hawkBit DDI v1 executions). */
export function reportsOf(state: State): readonly Effect[] {
  const offer = offerOf(state);
  if (offer === null) return [];
  const { actionId, version } = offer;
  const say = (
    execution: Report["execution"],
    finished: Report["finished"],
    reason: Report["reason"],
  ): readonly Effect[] => {
    const report = { actionId, execution, finished, state: state.kind, reason, version };
    return [{ kind: "report", report }];
  };
  switch (state.kind) {
    case "idle":
      return [];
    case "checking":
    case "activating":
    case "trial":
      return say("proceeding", "none", null);
    case "downloading":
      return say("download", "none", null);
    case "verifying":
    case "staged":
      return say("downloaded", "none", null);
    case "confirmed":
      return say("closed", "success", null);
    case "rolledBack":
      return say("closed", "failure", state.reason);
    case "deferred":
      return say("scheduled", "none", state.reason);
    case "failed":
      return state.resume === null
        ? say("closed", "failure", state.reason)
        : say("proceeding", "none", state.reason);
    default:
      return unreachable(state);
  }
}

export function unreachable(state: never): never {
  throw new Error(`no such state: ${JSON.stringify(state)}`);
}
