import { type AcceptedOffer, accepted } from "../../offer/offer.ts";
import type { Context } from "./event.ts";
import { recoverRollback, refuseRolledBack } from "./late-rollback.ts";
import { isSilence, type RollbackReason } from "./reasons.ts";
import { type ActivatingState, offerOf, type State, type TrialState } from "./state.ts";
import {
  activate,
  enter,
  fail,
  idle,
  proceed,
  reportsOf,
  stay,
  type Transition,
  unreachable,
} from "./steps.ts";

/**
 * A swap is requested this often at most; more would mean that the restart never reaches the
 * bootloader.
 */
export const swapRequestsMax = 3;

/** The state after a reset: what the flash says goes before what the journal says. */
export function recover(state: State, context: Context): Transition {
  if (!context.running.confirmed) return beginTrial(state, context);
  switch (state.kind) {
    case "idle":
    case "failed":
    case "deferred":
      return stay(state);
    case "checking":
    case "downloading":
      return proceed(state, context);
    case "verifying":
      return { state, effects: [{ kind: "verify", offer: state.offer }] };
    case "staged":
      return activate(state, context);
    case "activating":
      return recoverActivation(state, context);
    case "trial":
      return state.offer === null ? idle() : endTrial(state.offer, state.lastFailure, context);
    case "rollingBack":
      return recoverRollback(state, context);
    case "confirmed":
      return { state, effects: reportsOf(state) };
    case "rolledBack": // the power may have been cut before the image was refused
      return refuseRolledBack(state);
    default:
      return unreachable(state);
  }
}

/**
 * Whatever the journal holds, an image that runs unconfirmed is on trial; the journal may know its
 * action.
 */
function beginTrial(state: State, context: Context): Transition {
  const { running } = context;
  const offer = offerOf(state);
  const isKnown = offer !== null && offer.imageHash === running.imageHash;
  const trial: TrialState = {
    kind: "trial",
    offer: isKnown ? accepted(offer) : null,
    lastFailure: state.kind === "trial" ? failureOf(state.lastFailure, context) : null,
    networkWasDown: "networkWasDown" in state && state.networkWasDown,
  };
  return { state: trial, effects: [...reportsOf(trial), { kind: "validate" }] };
}

/**
 * The swap was requested, or about to be, and a confirmed image runs: the new one, or the old one
 * (again).
 */
function recoverActivation(state: ActivatingState, context: Context): Transition {
  const { offer, requests, requested } = state;
  const { secondary } = context;
  if (context.running.imageHash === offer.imageHash) return enter({ kind: "confirmed", offer });
  // A refused image was erased by the bootloader; after a revert it is in the secondary slot again,
  // not pending.
  if (secondary !== null && secondary.imageHash !== offer.imageHash)
    return fail(offer, "bootloader-refused");
  // Only a swap erases a request that was begun, and this one was when `requested` was stored.
  if (secondary !== null && requested && !secondary.prepared) return endTrial(offer, null, context);
  if (requests >= swapRequestsMax) return fail(offer, "activation-not-started");
  return activate({ kind: "staged", offer, requests }, context);
}

function endTrial(
  offer: AcceptedOffer,
  lastFailure: RollbackReason | null,
  context: Context,
): Transition {
  if (context.running.imageHash === offer.imageHash) return enter({ kind: "confirmed", offer });
  const reason = failureOf(lastFailure, context) ?? "not-confirmed";
  return refuseRolledBack({ kind: "rolledBack", offer, reason });
}

/**
 * What the boots of a trial ended with: silence in one of them does not hide a crash in another.
 */
function failureOf(told: RollbackReason | null, context: Context): RollbackReason | null {
  return told !== null && !isSilence(told) ? told : (crashOf(context) ?? told);
}

function crashOf({ resetReason }: Context): RollbackReason | null {
  if (resetReason === "exception") return "crashed";
  return resetReason === "watchdog" ? "watchdog" : null;
}
