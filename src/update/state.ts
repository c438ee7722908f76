import type { DeferralReason, FailureReason, Offer, Release, RollbackReason } from "./release.ts";

/**
 * Where an update stands. Each state carries only what is valid in it; the journal keeps it across
 * resets.
 *
 *   idle -> checking -> downloading -> verifying -> staged -> activating -> trial -> confirmed
 *              |            |             |           |           |           |
 *              +-- deferred (power, window), failed --+-----------+      rolledBack
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
  readonly release: Release;
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
  readonly release: Release;
  readonly hashFailures: number;
}

/** The slot holds a valid image that nobody asked the bootloader to swap in yet. */
export interface StagedState {
  readonly kind: "staged";
  readonly release: Release;
  /** How often its swap was requested already, without effect. */
  readonly requests: number;
}

export interface ActivatingState {
  readonly kind: "activating";
  readonly release: Release;
  /** How often the swap was requested for this release, this time included. */
  readonly requests: number;
  /**
   * The request stands in the trailer but for its magic, which is written next. It is stored before
   * the magic, so that a trailer without the request then means that the swap was done, and undone.
   */
  readonly requested: boolean;
}

/** The new image runs and is not confirmed; the bootloader counts its boots. */
export interface TrialState {
  readonly kind: "trial";
  /** Null when the journal was lost: the image is then tried all the same. */
  readonly release: Release | null;
  /** What an earlier boot of this trial ended with, for the report if the old image comes back. */
  readonly lastFailure: RollbackReason | null;
}

/** Confirmed in flash; the server does not know yet. */
export interface ConfirmedState {
  readonly kind: "confirmed";
  readonly release: Release;
}

/** The old image runs again; the server does not know yet. */
export interface RolledBackState {
  readonly kind: "rolledBack";
  readonly release: Release;
  readonly reason: RollbackReason;
}

/** The update waits for better conditions and goes on where it was. */
export interface DeferredState {
  readonly kind: "deferred";
  readonly reason: DeferralReason;
  readonly resume: CheckingState | DownloadingState | StagedState;
}

export interface FailedState {
  readonly kind: "failed";
  readonly offer: Offer;
  readonly reason: FailureReason;
  /**
   * What to go on with at the next offer when the fault can pass; it is about `offer`. Null ends
   * the release.
   */
  readonly resume: CheckingState | DownloadingState | null;
}

/** What of an update the state is about, or null. */
export function offerOf(state: State): Offer | null {
  switch (state.kind) {
    case "idle":
      return null;
    case "checking":
    case "failed":
      return state.offer;
    case "deferred":
      return offerOf(state.resume);
    default:
      return state.release;
  }
}
