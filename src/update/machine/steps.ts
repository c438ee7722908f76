import type { FailureReason } from "../../offer/failure-reasons.ts";
import { type AcceptedOffer, accepted, type Offer } from "../../offer/offer.ts";
import { type Obstacle, obstacleTo } from "./conditions.ts";
import type { Effect, Report } from "./effect.ts";
import type { Context } from "./event.ts";
import type { RefusedImage } from "./refused-images.ts";
import {
  type ActivatingState,
  type CheckingState,
  type ConfirmedState,
  type DownloadingState,
  offerOf,
  type ResumableState,
  type RolledBackState,
  type StagedState,
  type State,
  type VerifyingState,
} from "./state.ts";

/** What `transition` answers: the state to store, then what to do. */
export interface Transition {
  readonly state: State;
  readonly effects: readonly Effect[];
}

/** A new offer, or none. */
export function take(offer: Offer | null, context: Context): Transition {
  if (offer === null) return idle();
  const known = accepted(offer);
  if (known !== null && known.imageHash === context.running.imageHash)
    return enter({ kind: "confirmed", offer: known });
  const checking = { kind: "checking", offer } as const;
  if (known === null) return begin(checking, context);
  return past(known, context) ?? pardoned(known, context, begin(checking, context));
}

/**
 * What keeps an image that was rolled back here from another try, for good or for now; null if
 * nothing does.
 */
export function past(offer: AcceptedOffer, context: Context): Transition | null {
  const refused = refusalOf(offer, context);
  if (refused === undefined || offer.retry || refused.waitSeconds === 0) return null;
  return refused.waitSeconds === null
    ? fail(offer, "rolled-back-before")
    : pause({ kind: "checking", offer }, "rolled-back-before", null);
}

/** The same, after the image is cleared if the server says so. */
export function pardoned(offer: AcceptedOffer, context: Context, next: Transition): Transition {
  const { imageHash, retry } = offer;
  const isPardoned = retry && refusalOf(offer, context) !== undefined;
  return isPardoned ? after({ kind: "pardon", imageHash }, next) : next;
}

function refusalOf({ imageHash }: AcceptedOffer, { refused }: Context): RefusedImage | undefined {
  return refused.find((image) => image.imageHash === imageHash);
}

const firstTime = { wasDeferred: false };

/** Starts a step, or takes it up again, and tells the server. */
export function begin(state: ResumableState, context: Context, options = firstTime): Transition {
  if (state.kind === "staged") return activate(state, context, options);
  const next = proceed(state, context, options);
  return next.state === state ? { state, effects: [...reportsOf(state), ...next.effects] } : next;
}

/** Goes on with a step that the server knows of, if nothing is in its way. */
export function proceed(
  state: CheckingState | DownloadingState,
  context: Context,
  options = firstTime,
): Transition {
  const obstacle = obstacleTo(state, context, options);
  if (obstacle !== null) return defer(state, obstacle);
  if (state.kind === "checking") return { state, effects: [{ kind: "check", offer: state.offer }] };
  const kind = state.prepared ? "download" : "prepare";
  return { state, effects: [{ kind, offer: state.offer }] };
}

/** Swaps only with approval, inside the window and with the charge for it. */
export function activate(state: StagedState, context: Context, options = firstTime): Transition {
  const obstacle = obstacleTo(state, context, options);
  if (obstacle !== null) return defer(state, obstacle);
  const { offer } = state;
  const next: ActivatingState = {
    kind: "activating",
    offer,
    requests: state.requests + 1,
    requested: false,
    networkWasDown: context.networkDown,
  };
  return { state: next, effects: [...reportsOf(next), { kind: "prepareSwap", offer }] };
}

export function defer(resume: ResumableState, obstacle: Obstacle): Transition {
  const { reason, untilUnixMs, detail } = obstacle;
  const state: State = { kind: "deferred", reason, untilUnixMs, resume };
  return { state, effects: reportsOf(state, detail) };
}

/** Ends the release. */
export function fail(offer: Offer, reason: FailureReason): Transition {
  const state: State = { kind: "failed", offer, reason, resume: null, retryAtUnixMs: null };
  return { state, effects: reportsOf(state) };
}

/** Pauses it: what failed can work later. */
export function pause(
  resume: CheckingState | DownloadingState,
  reason: FailureReason,
  retryAtUnixMs: number | null,
): Transition {
  const { offer } = resume;
  const state: State = { kind: "failed", offer, reason, resume, retryAtUnixMs };
  return { state, effects: reportsOf(state) };
}

/** A state in which there is nothing to do but to tell the server. */
export function enter(state: ConfirmedState | RolledBackState): Transition {
  return { state, effects: reportsOf(state) };
}

export function idle(): Transition {
  return { state: { kind: "idle" }, effects: [] };
}

export function stay(state: State): Transition {
  return { state, effects: [] };
}

/** The same, with one thing to do before. */
export function after(effect: Effect, next: Transition): Transition {
  return { state: next.state, effects: [effect, ...next.effects] };
}

/** What the server hears on entering a state (hawkBit DDI v1 executions). */
export function reportsOf(state: State, detail: string | null = null): readonly Effect[] {
  const offer = offerOf(state);
  if (offer === null) return [];
  const { version } = offer;
  const { actionId } = offer.source;
  const say = (
    execution: Report["execution"],
    finished: Report["finished"],
    reason: Report["reason"],
  ): readonly Effect[] => {
    const report = { actionId, execution, finished, state: state.kind, reason, detail, version };
    return [{ kind: "report", report }];
  };
  switch (state.kind) {
    case "idle":
      return [];
    case "checking":
    case "activating":
    case "trial":
      return say("proceeding", "none", null);
    case "rollingBack":
      return say("proceeding", "none", state.reason);
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

/** A release whose whole download came spoilt this often is given up. */
export const hashFailuresMax = 3;

/** What is in the slot came spoilt. */
export function downloadAgain(
  { offer, hashFailures: before }: DownloadingState | VerifyingState,
  reason: FailureReason,
  context: Context,
): Transition {
  const hashFailures = before + 1;
  if (hashFailures >= hashFailuresMax) return fail(offer, reason);
  return begin({ kind: "downloading", offer, prepared: false, hashFailures }, context);
}
