import type { PowerThresholds } from "../policy/power.ts";
import type { PowerReading, ResetReason } from "../ports/board.ts";
import type { DeploymentRefusal } from "../protocol/ddi.ts";
import type { DigestHex } from "../protocol/digest.ts";
import type { Running } from "../protocol/running.ts";
import type { SecondaryFacts } from "../slots/slots.ts";
import type { FailureReason, Offer, Release, RollbackReason } from "./release.ts";

/** What happened. Results of effects come back as events too. */
export type Event =
  /** The firmware started; the context tells what it found. */
  | { readonly kind: "booted" }
  /** A poll was answered; null means that the server wants nothing of this device. */
  | { readonly kind: "polled"; readonly offer: Offer | null }
  /** A poll led to an offer that this device can make nothing of. */
  | {
      readonly kind: "offerRefused";
      readonly actionId: string;
      readonly reason: DeploymentRefusal;
    }
  | { readonly kind: "cancelled"; readonly actionId: string }
  | { readonly kind: "checked"; readonly release: Release }
  | { readonly kind: "checkFailed"; readonly reason: FailureReason; readonly passing: boolean }
  | { readonly kind: "prepared" }
  | { readonly kind: "downloaded" }
  | { readonly kind: "downloadFailed"; readonly reason: FailureReason; readonly passing: boolean }
  | { readonly kind: "verified" }
  | { readonly kind: "verifyFailed"; readonly reason: FailureReason }
  | { readonly kind: "requestPrepared" }
  | { readonly kind: "upgradeRequested" }
  | { readonly kind: "upgradeFailed"; readonly reason: FailureReason }
  /** Every health check of the trial passed. */
  | { readonly kind: "healthy" }
  | { readonly kind: "trialEnded"; readonly reason: RollbackReason }
  | { readonly kind: "confirmWritten" }
  | { readonly kind: "confirmFailed" }
  /** The server acknowledged the final report of the action, or no longer knows it. */
  | { readonly kind: "reported"; readonly actionId: string };

export type EventKind = Event["kind"];

/** What the device is at the moment of the event: facts, not memory. */
export interface Context {
  readonly running: Running;
  readonly resetReason: ResetReason;
  /** What the secondary slot held at the start, or when lost work was taken up. */
  readonly secondary: SecondaryFacts | null;
  readonly power: PowerReading;
  readonly thresholds: PowerThresholds;
  /** False until a poll of this boot told. */
  readonly windowOpen: boolean;
  /** Images that were rolled back on this device. */
  readonly refused: readonly DigestHex[];
}
