import { isSameOffer, type Offer } from "../../offer/offer.ts";
import type { OfferDefect } from "../../protocol/ddi.ts";
import { obstacleTo } from "./conditions.ts";
import type { Effect } from "./effect.ts";
import type { Context, Event } from "./event.ts";
import { inRollingBack, rollBack, tellBarred } from "./late-rollback.ts";
import { freshened, inPassingFailure } from "./passing-failure.ts";
import { isSilence } from "./reasons.ts";
import { recover } from "./recovery.ts";
import {
  type ActivatingState,
  type CheckingState,
  type ConfirmedState,
  type DeferredState,
  type DownloadingState,
  type FailedState,
  offerOf,
  type ResumableState,
  type RolledBackState,
  type StagedState,
  type State,
  type TrialState,
  type VerifyingState,
} from "./state.ts";
import {
  activate,
  begin,
  defer,
  downloadAgain,
  enter,
  fail,
  hashFailuresMax,
  idle,
  pardoned,
  past,
  pause,
  proceed,
  reportsOf,
  stay,
  type Transition,
  take,
  unreachable,
} from "./steps.ts";

export { swapRequestsMax } from "./recovery.ts";
export { hashFailuresMax, type Transition } from "./steps.ts";

/**
 * The whole life of an update as one pure function: the same state, event and context always give
 * the same answer. An event that means nothing in a state leaves it alone: late results of
 * abandoned work end here.
 */
export function transition(state: State, event: Event, context: Context): Transition {
  if (event.kind === "booted" || event.kind === "resumed") return recover(state, context);
  if (event.kind === "cancelled") return cancel(state, event.actionId);
  if (event.kind === "offerRefused") return refuseOffer(state, event.actionId, event.reason);
  if (event.kind === "destabilized") return rollBack(state, event.trigger, context);
  if (event.kind === "rollbackBarred") return tellBarred(state, context);
  if (event.kind === "exhausted") return giveUp(state);
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
      return event.kind === "polled" ? replaced(state, event.offer, context) : stay(state);
    case "activating":
      return inActivating(state, event, context);
    case "trial":
      return inTrial(state, event);
    case "rollingBack":
      return inRollingBack(state, event, context);
    case "confirmed":
    case "rolledBack":
      return inFinished(state, event, context);
    case "deferred":
      return inDeferred(state, event, context);
    case "failed":
      return state.resume === null
        ? inFinished(state, event, context)
        : inPassingFailure(state, state.resume, event, context);
    default:
      return unreachable(state);
  }
}

function inChecking(state: CheckingState, event: Event, context: Context): Transition {
  switch (event.kind) {
    case "polled":
      return replaced(state, event.offer, context);
    case "checked": {
      const { offer, lacks } = event;
      const { imageHash } = offer;
      if (imageHash === context.running.imageHash) return enter({ kind: "confirmed", offer });
      const refusal = past(offer, context);
      if (refusal !== null) return refusal;
      if (lacks !== null) return defer(state, { reason: lacks, untilUnixMs: null, detail: null });
      const first = { kind: "downloading", offer, prepared: false, hashFailures: 0 } as const;
      return pardoned(offer, context, begin(first, context));
    }
    case "checkFailed":
      return event.passing
        ? pause(state, event.reason, retryAt(event, context))
        : fail(state.offer, event.reason);
    default:
      return stay(state);
  }
}

function inDownloading(state: DownloadingState, event: Event, context: Context): Transition {
  switch (event.kind) {
    case "polled":
      return replaced(state, event.offer, context);
    case "prepared":
      return proceed({ ...state, prepared: true }, context);
    case "downloaded": {
      const { offer, hashFailures } = state;
      const next: VerifyingState = { kind: "verifying", offer, hashFailures };
      return { state: next, effects: [...reportsOf(next), { kind: "verify", offer }] };
    }
    case "downloadFailed":
      if (event.reason === "hash-mismatch") return downloadAgain(state, event.reason, context);
      return event.passing
        ? pause(state, event.reason, retryAt(event, context))
        : fail(state.offer, event.reason);
    case "tick": {
      const obstacle = obstacleTo(state, context, { wasDeferred: false });
      return obstacle === null ? stay(state) : abandonFor(defer(state, obstacle));
    }
    default:
      return stay(state);
  }
}

function inVerifying(state: VerifyingState, event: Event, context: Context): Transition {
  switch (event.kind) {
    case "polled":
      return replaced(state, event.offer, context);
    case "verified":
      return activate({ kind: "staged", offer: state.offer, requests: 0 }, context);
    case "verifyFailed":
      if (event.reason === "internal-error") return verifyAgain(state, context);
      // The two ends were judged before the download: other bytes in the slot came spoilt.
      return event.reason === "flash-error"
        ? fail(state.offer, event.reason)
        : downloadAgain(state, event.reason, context);
    default:
      return stay(state);
  }
}

/** When an update that failed for now may go on. */
function retryAt(event: { readonly retryAfterMs: number }, context: Context): number | null {
  return context.unixMs === null ? null : context.unixMs + event.retryAfterMs;
}

/** A defect of ours, or memory that was short: it says nothing of the bytes in the slot. */
function verifyAgain({ offer, hashFailures }: VerifyingState, context: Context): Transition {
  const failures = hashFailures + 1;
  if (failures >= hashFailuresMax) return fail(offer, "internal-error");
  const resume = { kind: "downloading", offer, prepared: true, hashFailures: failures } as const;
  return pause(resume, "internal-error", retryAt({ retryAfterMs: 0 }, context));
}

function inActivating(state: ActivatingState, event: Event, context: Context): Transition {
  switch (event.kind) {
    case "swapPrepared":
      if (state.requested) return stay(state);
      return {
        state: { ...state, requested: true },
        effects: [{ kind: "requestSwap", offer: state.offer }],
      };
    case "swapRequested":
      return state.requested ? { state, effects: [{ kind: "restart" }] } : stay(state);
    case "swapFailed":
      return event.reason === "storage-error"
        ? waitForStorage(state, context)
        : fail(state.offer, event.reason);
    default:
      return stay(state); // the swap may begin at any moment: too late for another offer
  }
}

/** Between two looks whether the storage takes the state of a swap again. */
const storagePauseMs = 3600_000;

/** The image is in the slot: it is verified once more then, and its swap asked for. */
function waitForStorage({ offer }: ActivatingState, context: Context): Transition {
  const resume = { kind: "downloading", offer, prepared: true, hashFailures: 0 } as const;
  return pause(resume, "storage-error", retryAt({ retryAfterMs: storagePauseMs }, context));
}

function inTrial(state: TrialState, event: Event): Transition {
  switch (event.kind) {
    case "healthy":
      return { state, effects: [{ kind: "confirm" }] };
    case "confirmWritten":
      return state.offer === null ? idle() : enter({ kind: "confirmed", offer: state.offer });
    case "confirmFailed":
      return { state: { ...state, lastFailure: "confirm-failed" }, effects: [{ kind: "restart" }] };
    case "trialEnded": {
      // What an earlier boot found in the image says more than silence now.
      const { lastFailure } = state;
      const isSaid = lastFailure !== null && isSilence(event.reason);
      const next = { ...state, lastFailure: isSaid ? lastFailure : event.reason };
      return { state: next, effects: [{ kind: "restart" }] };
    }
    default:
      return stay(state);
  }
}

/**
 * Over, and told at every poll that still names the action. A success is done once the server
 * acknowledged it; what went wrong is remembered until the server names something else, so that a
 * late answer cannot start it all over.
 */
function inFinished(
  state: ConfirmedState | RolledBackState | FailedState,
  event: Event,
  context: Context,
): Transition {
  const offer = offerOf(state);
  switch (event.kind) {
    case "reported":
      return state.kind === "confirmed" && event.actionId === offer?.source.actionId
        ? idle()
        : stay(state);
    case "polled":
      return isSameOffer(event.offer, offer)
        ? { state, effects: reportsOf(state) }
        : take(event.offer, context);
    default:
      return stay(state);
  }
}

function inDeferred(state: DeferredState, event: Event, context: Context): Transition {
  switch (event.kind) {
    case "polled":
      return isSameOffer(event.offer, offerOf(state.resume))
        ? reconsider(state, event.offer, context)
        : take(event.offer, context);
    case "approved":
      return reconsider(state, null, context);
    case "tick": // a charger helps at once; a window is everybody's, and polls are spread
      return isForPower(state) ? reconsider(state, null, context) : stay(state);
    default:
      return stay(state);
  }
}

/** Goes on if the obstacle is gone; one that stays is not told again. */
function reconsider(state: DeferredState, offer: Offer | null, context: Context): Transition {
  const resume = freshened(state.resume, offer);
  if (lacksApproval(state, resume, context)) return stay(state);
  const next = begin(resume, context, { wasDeferred: isForPower(state) });
  return next.state.kind === "deferred" && next.state.reason === state.reason ? stay(state) : next;
}

function isForPower({ reason }: DeferredState): boolean {
  return reason === "low-battery" || reason === "energy";
}

/** The release needs an approval, and neither the server nor the user gave it. */
function lacksApproval(
  { reason }: DeferredState,
  resume: ResumableState,
  context: Context,
): boolean {
  if (reason !== "major-not-approved" && reason !== "breaking-not-approved") return false;
  const { approved, fileHash } = resume.offer;
  return !approved && context.approvedFile !== fileHash;
}

/** An attempt that goes in circles ends; what the bootloader decides is bounded by itself. */
function giveUp(state: State): Transition {
  switch (state.kind) {
    case "checking":
    case "downloading":
    case "verifying":
    case "staged":
    case "deferred":
    case "failed": {
      const offer = offerOf(state);
      return offer === null || isOver(state)
        ? stay(state)
        : abandonFor(fail(offer, "too-many-transitions"));
    }
    default:
      return stay(state);
  }
}

/** A poll during the work: the same offer goes on, anything else ends it. */
function replaced(
  state: CheckingState | DownloadingState | VerifyingState | StagedState,
  offer: Offer | null,
  context: Context,
): Transition {
  return isSameOffer(offer, offerOf(state)) ? stay(state) : abandonFor(take(offer, context));
}

function abandonFor(next: Transition): Transition {
  return { state: next.state, effects: [{ kind: "abandon" }, ...next.effects] };
}

/**
 * Accepted until the swap is requested; afterwards the bootloader decides and the answer is no.
 * What went wrong before is told first: a device that rolled back was not cancelled.
 */
function cancel(state: State, actionId: string): Transition {
  const isOwn = offerOf(state)?.source.actionId === actionId;
  const answer = (accepted: boolean): Effect => ({ kind: "acknowledgeCancel", actionId, accepted });
  switch (state.kind) {
    case "activating":
    case "confirmed":
    case "rollingBack":
      return { state, effects: [answer(!isOwn)] };
    case "trial": // of an unknown action: most likely of the one that is to be stopped
      return { state, effects: [answer(!isOwn && state.offer !== null)] };
    case "idle":
      return { state, effects: [answer(true)] };
    case "checking":
    case "downloading":
    case "verifying":
    case "staged":
      if (!isOwn) return { state, effects: [answer(true)] };
      return abandonFor({ state: { kind: "idle" }, effects: [answer(true)] });
    case "rolledBack":
    case "deferred":
    case "failed": {
      if (!isOwn) return { state, effects: [answer(true)] };
      const reports = isOver(state) ? reportsOf(state) : [];
      return { state: { kind: "idle" }, effects: [...reports, answer(true)] };
    }
    default:
      return unreachable(state);
  }
}

/** Nothing will follow but reports. */
function isOver(state: State): boolean {
  if (state.kind === "failed") return state.resume === null;
  return state.kind === "confirmed" || state.kind === "rolledBack";
}

/** The server hears it at every poll that leads there; what it wanted before, it wants no more. */
function refuseOffer(state: State, actionId: string, reason: OfferDefect): Transition {
  const offer = offerOf(state);
  const isOwn = offer !== null && offer.source.actionId === actionId;
  switch (state.kind) {
    case "activating":
    case "trial":
    case "rollingBack":
      return stay(state);
    case "idle":
    case "confirmed":
    case "rolledBack":
    case "deferred":
    case "failed":
      if (isOwn && isOver(state)) return { state, effects: reportsOf(state) };
      return isOwn ? fail(offer, reason) : refusal(actionId, reason);
    case "checking":
    case "downloading":
    case "verifying":
    case "staged":
      return abandonFor(isOwn ? fail(offer, reason) : refusal(actionId, reason));
    default:
      return unreachable(state);
  }
}

function refusal(actionId: string, reason: OfferDefect): Transition {
  const report = {
    actionId,
    execution: "closed",
    finished: "failure",
    state: "failed",
    reason,
    detail: null,
    version: null,
  } as const;
  return { state: { kind: "idle" }, effects: [{ kind: "report", report }] };
}
