import { powerAllows } from "../policy/power.ts";
import type { Effect, Report } from "./effect.ts";
import type { Context, Event } from "./event.ts";
import type { DeferralReason, FailureReason, Offer, Release, RollbackReason } from "./release.ts";
import {
  type ActivatingState,
  type CheckingState,
  type DeferredState,
  type DownloadingState,
  type FailedState,
  offerOf,
  type StagedState,
  type State,
  type TrialState,
  type VerifyingState,
} from "./state.ts";

/** A release whose whole download had a wrong hash this often is given up. */
export const hashFailuresMax = 3;

/** A swap is requested this often at most; more would mean that the restart never reaches the bootloader. */
export const upgradeRequestsMax = 3;

export interface Transition {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/**
 * The whole life of an update as one pure function: the same state, event and context always give the same answer.
 * An event that means nothing in a state leaves it alone: late results of abandoned work end here.
 */
export function transition(state: State, event: Event, context: Context): Transition {
  if (event.kind === "booted") return recover(state, context);
  if (event.kind === "cancelled") return cancel(state, event.actionId);
  switch (state.kind) {
    case "idle":
      return event.kind === "polled" ? take(event.offer, context) : stay(state);
    case "checking":
      return inChecking(state, event, context);
    case "downloading":
      return inDownloading(state, event, context);
    case "verifying":
      return inVerifying(state, event, context);
    case "staged":
      return inStaged(state, event, context);
    case "activating":
      return inActivating(state, event, context);
    case "trial":
      return inTrial(state, event);
    case "confirmed":
    case "rolledBack":
      return inFinished(state, event);
    case "deferred":
      return inDeferred(state, event, context);
    case "failed":
      return inFailed(state, event, context);
    default:
      return unreachable(state);
  }
}

/** After a reset: what the flash says goes before what the journal says. */
function recover(state: State, context: Context): Transition {
  const { running } = context;
  if (!running.confirmed) {
    const known = state.kind === "activating" || state.kind === "trial" ? state.release : null;
    const release = known?.imageHash === running.imageHash ? known : null;
    const lastFailure = state.kind === "trial" ? state.lastFailure : null;
    const trial: TrialState = { kind: "trial", release, lastFailure };
    return { state: trial, effects: [...reportsOf(trial), { kind: "validate" }] };
  }
  switch (state.kind) {
    case "idle":
    case "failed":
    case "deferred":
      return stay(state);
    case "checking":
      return { state, effects: [{ kind: "check", offer: state.offer }] };
    case "downloading":
      return { state, effects: [downloadStep(state)] };
    case "verifying":
      return { state, effects: [{ kind: "verify", release: state.release }] };
    case "staged":
      return activate(state, context);
    case "activating":
      return recoverActivation(state, context);
    case "trial":
      return state.release === null ? idle() : endTrial(state.release, state.lastFailure, context);
    case "confirmed":
    case "rolledBack":
      return { state, effects: reportsOf(state) };
    default:
      return unreachable(state);
  }
}

/** The swap was requested, or about to be, and a confirmed image runs: the new one, or the old one (again). */
function recoverActivation(state: ActivatingState, context: Context): Transition {
  if (context.running.imageHash === state.release.imageHash)
    return finish({ kind: "confirmed", release: state.release });
  if (state.requested) {
    // After a revert the rejected image is in the secondary slot again; a refused one was erased by the bootloader.
    if (context.secondary.imageHash === state.release.imageHash && !context.secondary.pending)
      return endTrial(state.release, null, context);
    if (context.secondary.imageHash !== state.release.imageHash)
      return fail(state.release, "bootloader-refused", null);
  }
  if (state.requests >= upgradeRequestsMax)
    return fail(state.release, "activation-not-started", null);
  return activate({ kind: "staged", release: state.release }, context, state.requests);
}

function endTrial(
  release: Release,
  lastFailure: RollbackReason | null,
  context: Context,
): Transition {
  if (context.running.imageHash === release.imageHash)
    return finish({ kind: "confirmed", release });
  const reason = lastFailure ?? reasonOfReset(context);
  const next = finish({ kind: "rolledBack", release, reason });
  return {
    state: next.state,
    effects: [{ kind: "refuse", imageHash: release.imageHash }, ...next.effects],
  };
}

function reasonOfReset(context: Context): RollbackReason {
  if (context.resetReason === "exception") return "crashed";
  return context.resetReason === "watchdog" ? "watchdog" : "not-confirmed";
}

/** A new offer, or none. */
function take(offer: Offer | null, context: Context): Transition {
  if (offer === null) return idle();
  if (offer.imageHash !== null && offer.imageHash === context.running.imageHash)
    return finish({ kind: "confirmed", release: { ...offer, imageHash: offer.imageHash } });
  if (offer.imageHash !== null && context.refused.includes(offer.imageHash))
    return fail(offer, "rolled-back-before", null);
  return begin({ kind: "checking", offer }, context);
}

function begin(
  state: CheckingState | DownloadingState | StagedState,
  context: Context,
): Transition {
  if (state.kind === "staged") return activate(state, context);
  if (!powerAllows("download", context.power, context.thresholds))
    return defer(state, "low-battery");
  const effect: Effect =
    state.kind === "checking" ? { kind: "check", offer: state.offer } : downloadStep(state);
  return { state, effects: [...reportsOf(state), effect] };
}

function downloadStep(state: DownloadingState): Effect {
  return { kind: state.prepared ? "download" : "prepare", release: state.release };
}

function inChecking(state: CheckingState, event: Event, context: Context): Transition {
  switch (event.kind) {
    case "polled":
      return replaced(state, event.offer, context);
    case "checked": {
      const { release } = event;
      if (release.imageHash === context.running.imageHash)
        return finish({ kind: "confirmed", release });
      if (context.refused.includes(release.imageHash))
        return fail(release, "rolled-back-before", null);
      return begin({ kind: "downloading", release, prepared: false, hashFailures: 0 }, context);
    }
    case "checkFailed":
      return fail(state.offer, event.reason, event.passing ? state : null);
    default:
      return stay(state);
  }
}

function inDownloading(state: DownloadingState, event: Event, context: Context): Transition {
  switch (event.kind) {
    case "polled":
      return replaced(state, event.offer, context);
    case "prepared":
      return begin({ ...state, prepared: true }, context);
    case "downloaded": {
      const { release, hashFailures } = state;
      const next: VerifyingState = { kind: "verifying", release, hashFailures };
      return { state: next, effects: [...reportsOf(next), { kind: "verify", release }] };
    }
    case "downloadFailed":
      if (event.reason === "hash-mismatch") return downloadAgain(state, context);
      return fail(state.release, event.reason, event.passing ? state : null);
    default:
      return stay(state);
  }
}

function inVerifying(state: VerifyingState, event: Event, context: Context): Transition {
  switch (event.kind) {
    case "polled":
      return replaced(state, event.offer, context);
    case "verified":
      return activate({ kind: "staged", release: state.release }, context);
    case "verifyFailed":
      if (event.reason === "hash-mismatch") return downloadAgain(state, context);
      return fail(state.release, event.reason, null);
    default:
      return stay(state);
  }
}

function downloadAgain(state: DownloadingState | VerifyingState, context: Context): Transition {
  const hashFailures = state.hashFailures + 1;
  if (hashFailures >= hashFailuresMax) return fail(state.release, "hash-mismatch", null);
  return begin(
    { kind: "downloading", release: state.release, prepared: false, hashFailures },
    context,
  );
}

function inStaged(state: StagedState, event: Event, context: Context): Transition {
  return event.kind === "polled" ? replaced(state, event.offer, context) : stay(state);
}

/** Swaps only inside the window and with the charge for it. */
function activate(state: StagedState, context: Context, requests = 0): Transition {
  if (!powerAllows("activate", context.power, context.thresholds))
    return defer(state, "low-battery");
  if (!context.windowOpen) return defer(state, "window-closed");
  const next: ActivatingState = {
    kind: "activating",
    release: state.release,
    requests: requests + 1,
    requested: false,
  };
  return {
    state: next,
    effects: [...reportsOf(next), { kind: "requestUpgrade", release: state.release }],
  };
}

function inActivating(state: ActivatingState, event: Event, _context: Context): Transition {
  switch (event.kind) {
    case "upgradeRequested":
      return { state: { ...state, requested: true }, effects: [{ kind: "restart" }] };
    case "upgradeFailed":
      return fail(state.release, event.reason, null);
    default:
      return stay(state); // the swap may begin at any moment: too late for another offer
  }
}

function inTrial(state: TrialState, event: Event): Transition {
  switch (event.kind) {
    case "healthy":
      return { state, effects: [{ kind: "confirm" }] };
    case "confirmWritten":
      return state.release === null
        ? idle()
        : finish({ kind: "confirmed", release: state.release });
    case "confirmFailed":
      return { state: { ...state, lastFailure: "confirm-failed" }, effects: [{ kind: "restart" }] };
    case "trialEnded":
      return { state: { ...state, lastFailure: event.reason }, effects: [{ kind: "restart" }] };
    default:
      return stay(state);
  }
}

/** Over, but the server must hear of it: reported at every poll that still names the action. */
function inFinished(
  state: Extract<State, { kind: "confirmed" | "rolledBack" }> | FailedState,
  event: Event,
): Transition {
  const actionId = offerOf(state)?.actionId;
  switch (event.kind) {
    case "reported":
      return event.actionId === actionId ? idle() : stay(state);
    case "polled":
      if (event.offer?.actionId !== actionId) return idle();
      return { state, effects: reportsOf(state) };
    default:
      return stay(state);
  }
}

function inDeferred(state: DeferredState, event: Event, context: Context): Transition {
  if (event.kind !== "polled") return stay(state);
  if (event.offer?.actionId !== offerOf(state)?.actionId) return take(event.offer, context);
  const next = begin(state.resume, context);
  return next.state.kind === "deferred" && next.state.reason === state.reason ? stay(state) : next;
}

function inFailed(state: FailedState, event: Event, context: Context): Transition {
  if (state.resume === null) return inFinished(state, event);
  if (event.kind !== "polled") return stay(state);
  return event.offer?.actionId === state.offer.actionId
    ? begin(state.resume, context)
    : take(event.offer, context);
}

/** A poll during the work: the same action goes on, anything else ends it. */
function replaced(
  state: CheckingState | DownloadingState | VerifyingState | StagedState,
  offer: Offer | null,
  context: Context,
): Transition {
  if (offer?.actionId === offerOf(state)?.actionId) return stay(state);
  const next = take(offer, context);
  return { state: next.state, effects: [{ kind: "abandon" }, ...next.effects] };
}

/** Accepted until the swap is requested; afterwards the bootloader decides and the answer is no. */
function cancel(state: State, actionId: string): Transition {
  const offer = offerOf(state);
  const begun = state.kind === "activating" || state.kind === "trial" || state.kind === "confirmed";
  if (begun && offer?.actionId === actionId)
    return { state, effects: [{ kind: "acknowledgeCancel", actionId, accepted: false }] };
  const acknowledge: Effect = { kind: "acknowledgeCancel", actionId, accepted: true };
  if (offer?.actionId !== actionId) return { state, effects: [acknowledge] };
  return { state: { kind: "idle" }, effects: [{ kind: "abandon" }, acknowledge] };
}

function defer(
  resume: CheckingState | DownloadingState | StagedState,
  reason: DeferralReason,
): Transition {
  const state: DeferredState = { kind: "deferred", reason, resume };
  return { state, effects: reportsOf(state) };
}

function fail(
  offer: Offer,
  reason: FailureReason,
  resume: CheckingState | DownloadingState | null,
): Transition {
  const state: FailedState = { kind: "failed", offer, reason, resume };
  return { state, effects: reportsOf(state) };
}

function finish(state: Extract<State, { kind: "confirmed" | "rolledBack" }>): Transition {
  return { state, effects: reportsOf(state) };
}

function idle(): Transition {
  return { state: { kind: "idle" }, effects: [] };
}

function stay(state: State): Transition {
  return { state, effects: [] };
}

/** What the server hears on entering a state (hawkBit DDI v1 executions). */
function reportsOf(state: State): Effect[] {
  const offer = offerOf(state);
  if (offer === null) return [];
  const say = (
    execution: Report["execution"],
    finished: Report["finished"],
    reason: string | null,
  ): Effect[] => {
    const { actionId, version } = offer;
    return [
      {
        kind: "report",
        report: { actionId, execution, finished, state: state.kind, reason, version },
      },
    ];
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

function unreachable(state: never): never {
  throw new Error(`no such state: ${JSON.stringify(state)}`);
}
