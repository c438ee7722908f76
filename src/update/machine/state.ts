import type { FailureReason } from "../../offer/failure-reasons.ts";
import type { AcceptedOffer, Offer } from "../../offer/offer.ts";
import type { DeferralReason, RollbackReason } from "./reasons.ts";

/**
 * Where an update stands. Each state carries only what is valid in it; the journal keeps it across
 * resets.
 *
 *   idle -> checking -> downloading -> verifying -> staged -> activating -> trial -> confirmed
 *              |            |             |           |           |           |
 *              +-- deferred (power, window, approval), failed ----+       rolledBack
 *
 *   any of them but activating and trial -> rollingBack -> rolledBack     within the soak
 *
 * What is over, well or badly, ends in idle once the server knows.
 */
export type State =
  | IdleState
  | CheckingState
  | DownloadingState
  | VerifyingState
  | StagedState
  | ActivatingState
  | TrialState
  | ConfirmedState
  | RollingBackState
  | RolledBackState
  | DeferredState
  | FailedState;

export interface IdleState {
  readonly kind: "idle";
}

/** The image's header and TLVs are fetched and judged; nothing of the slot is touched. */
export interface CheckingState {
  readonly kind: "checking";
  readonly offer: Offer;
}

export interface DownloadingState {
  readonly kind: "downloading";
  readonly offer: AcceptedOffer;
  /**
   * The slot is erased as far as the image reaches, so what it holds now are bytes of this image.
   */
  readonly prepared: boolean;
  /** Whole downloads of this release whose hash was wrong. */
  readonly hashFailures: number;
}

/** Every byte is in the slot; the image there is hashed and its signature checked. */
export interface VerifyingState {
  readonly kind: "verifying";
  readonly offer: AcceptedOffer;
  readonly hashFailures: number;
}

/** The slot holds a valid image that nobody asked the bootloader to swap in yet. */
export interface StagedState {
  readonly kind: "staged";
  readonly offer: AcceptedOffer;
  /** How often its swap was requested already, without effect. */
  readonly requests: number;
}

export interface ActivatingState {
  readonly kind: "activating";
  readonly offer: AcceptedOffer;
  /** How often the swap was requested for this release, this time included. */
  readonly requests: number;
  /**
   * The request stands in the trailer but for its magic, which is written next. It is stored before
   * the magic, so that a trailer without the request then means that the swap was done, and undone.
   */
  readonly requested: boolean;
  /** The old image could not reach its server any more: the new one is not to blame for that. */
  readonly networkWasDown: boolean;
}

/** The new image runs and is not confirmed; the bootloader counts its boots. */
export interface TrialState {
  readonly kind: "trial";
  /** Null when the journal was lost: the image is then tried all the same. */
  readonly offer: AcceptedOffer | null;
  /** What an earlier boot of this trial ended with, for the report if the old image comes back. */
  readonly lastFailure: RollbackReason | null;
  readonly networkWasDown: boolean;
}

/** Confirmed in flash; the server does not know yet. */
export interface ConfirmedState {
  readonly kind: "confirmed";
  readonly offer: AcceptedOffer;
}

/** A confirmed image proved bad within its soak: the image before it is to come back for good. */
export interface RollingBackState {
  readonly kind: "rollingBack";
  /** What is given up; null when nothing is known of its action. */
  readonly offer: AcceptedOffer | null;
  readonly reason: RollbackReason;
  /** The rollback waits for the charge that a swap needs; `reason` stands. */
  readonly waitsForPower: boolean;
}

/** The old image runs again; the server does not know yet. */
export interface RolledBackState {
  readonly kind: "rolledBack";
  readonly offer: AcceptedOffer;
  readonly reason: RollbackReason;
}

/** What an update can wait or fail in, to go on there later. */
export type ResumableState = CheckingState | DownloadingState | StagedState;

/**
 * The update waits for better conditions and goes on where it was: before the download, in it, or
 * with the image staged.
 */
export interface DeferredState {
  readonly kind: "deferred";
  readonly reason: DeferralReason;
  /** When the obstacle is expected to be gone; null when that is not a matter of time. */
  readonly untilUnixMs: number | null;
  readonly resume: ResumableState;
}

export interface FailedState {
  readonly kind: "failed";
  readonly offer: Offer;
  readonly reason: FailureReason;
  /**
   * What to go on with when the fault can pass; it is about `offer`. Null ends the release.
   */
  readonly resume: CheckingState | DownloadingState | null;
  /** Offers before it are not followed; null is "at the next one", and without a clock. */
  readonly retryAtUnixMs: number | null;
}

/** What of an update the state is about, or null. */
export function offerOf(state: State): Offer | null {
  switch (state.kind) {
    case "idle":
      return null;
    case "deferred":
      return offerOf(state.resume);
    default:
      return state.offer;
  }
}
