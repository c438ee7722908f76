import { isSameOffer, type Offer } from "../../offer/offer.ts";
import type { Context, Event } from "./event.ts";
import {
  type CheckingState,
  type DownloadingState,
  type FailedState,
  offerOf,
  type ResumableState,
} from "./state.ts";
import { begin, stay, type Transition, take } from "./steps.ts";

/** A wait that is longer than any of ours comes from a clock that was set since. */
const retryAfterMsMax = 24 * 3600_000;

/** An update that failed for now: the next offer takes it up again, if its time has come. */
export function inPassingFailure(
  state: FailedState,
  resume: CheckingState | DownloadingState,
  event: Event,
  context: Context,
): Transition {
  if (event.kind !== "polled") return stay(state);
  if (!isSameOffer(event.offer, state.offer)) return take(event.offer, context);
  if (state.reason === "rolled-back-before" && resume.kind === "checking")
    return tryAgain(state, resume, event.offer, context);
  const waitMs = (state.retryAtUnixMs ?? 0) - (context.unixMs ?? 0);
  const isEarly = state.retryAtUnixMs !== null && context.unixMs !== null && waitMs > 0;
  return isEarly && waitMs <= retryAfterMsMax
    ? stay(state)
    : begin(freshened(resume, event.offer), context);
}

/**
 * The pause of an image that was rolled back for silence may be over; one that lasts is not told
 * again.
 */
function tryAgain(
  state: FailedState,
  resume: CheckingState,
  offer: Offer | null,
  context: Context,
): Transition {
  const next = take(offerOf(freshened(resume, offer)), context);
  const waits = next.state.kind === "failed" && next.state.resume !== null;
  return waits ? stay(state) : next;
}

/**
 * Goes on with what the server says of the file now: an address may hold for a time only, and an
 * operator may have approved or forced it.
 */
export function freshened(state: ResumableState, offer: Offer | null): ResumableState {
  if (offer === null) return state;
  const { source, approved, forced, retry } = offer;
  const fresh = { source, approved, forced, retry };
  // Narrowed, for a checked offer stays one.
  return state.kind === "checking"
    ? { ...state, offer: { ...state.offer, ...fresh } }
    : { ...state, offer: { ...state.offer, ...fresh } };
}
