import type { FailureReason } from "../../offer/failure-reasons.ts";
import type { AcceptedOffer, Offer } from "../../offer/offer.ts";
import type { PowerFacts, PowerPolicy } from "../../policy/power.ts";
import type { StabilityTrigger } from "../../policy/stability-history.ts";
import type { MaintenanceWindows } from "../../policy/windows.ts";
import type { ResetReason } from "../../ports/board.ts";
import type { OfferDefect } from "../../protocol/ddi.ts";
import type { DigestHex } from "../../protocol/digest.ts";
import type { Running } from "../../protocol/running.ts";
import type { SecondaryFacts } from "../../slots/slots.ts";
import type { RollbackReason } from "./reasons.ts";
import type { RefusedImage } from "./refused-images.ts";

/** What happened. Results of effects come back as events too. */
export type Event =
  /** The firmware started; the context tells what it found. */
  | { readonly kind: "booted" }
  /** Work that the state wants was found with nobody at it: it begins again, as after a reset. */
  | { readonly kind: "resumed" }
  /** A poll was answered; null means that the server wants nothing of this device. */
  | { readonly kind: "polled"; readonly offer: Offer | null }
  /** A poll led to an offer that this device can make nothing of. */
  | {
      readonly kind: "offerRefused";
      readonly actionId: string;
      readonly reason: OfferDefect;
    }
  | { readonly kind: "cancelled"; readonly actionId: string }
  /** `lacks` is the approval that the offer needs and does not have, or null. */
  | {
      readonly kind: "checked";
      readonly offer: AcceptedOffer;
      readonly lacks: "major-not-approved" | "breaking-not-approved" | null;
    }
  | ({ readonly kind: "checkFailed" } & TransferFailed)
  | { readonly kind: "prepared" }
  | { readonly kind: "downloaded" }
  | ({ readonly kind: "downloadFailed" } & TransferFailed)
  | { readonly kind: "verified" }
  | { readonly kind: "verifyFailed"; readonly reason: FailureReason }
  | { readonly kind: "swapPrepared" }
  | { readonly kind: "swapRequested" }
  | { readonly kind: "swapFailed"; readonly reason: FailureReason }
  /** Every health check of the trial passed, or the rest may pass without the server. */
  | { readonly kind: "healthy" }
  | { readonly kind: "trialEnded"; readonly reason: RollbackReason }
  | { readonly kind: "confirmWritten" }
  | { readonly kind: "confirmFailed" }
  /** The watch over the confirmed image wants the one before it back. */
  | { readonly kind: "destabilized"; readonly trigger: StabilityTrigger }
  /**
   * The watch wants the image before this one back, but the bootloader would refuse it: its
   * security counter is lower.
   */
  | { readonly kind: "rollbackBarred"; readonly trigger: StabilityTrigger }
  | { readonly kind: "rollbackRequested" }
  /** The request could not be written, or a swap that was asked for does not come about. */
  | { readonly kind: "rollbackFailed" }
  /** The user of the device agreed to the offered file. */
  | { readonly kind: "approved" }
  /** A little time passed: conditions may have changed. */
  | { readonly kind: "tick" }
  /** The journal has no room left for this attempt. */
  | { readonly kind: "exhausted" }
  /** The server acknowledged the final report of the action, or no longer knows it. */
  | { readonly kind: "reported"; readonly actionId: string };

interface TransferFailed {
  readonly reason: FailureReason;
  /** The cause of the failure may be gone later. */
  readonly passing: boolean;
  /** How long to wait at least; 0 is until the next offer. */
  readonly retryAfterMs: number;
}

export type EventKind = Event["kind"];

/** What the device is at the moment of the event: facts, not memory. */
export interface Context {
  readonly running: Running;
  readonly resetReason: ResetReason;
  /** What the secondary slot held at the start, or when lost work was taken up. */
  readonly secondary: SecondaryFacts | null;
  readonly power: PowerFacts;
  readonly powerPolicy: PowerPolicy;
  /** What a trial of this device may take, for the estimate of its energy. */
  readonly trial: { readonly boots: number; readonly secondsPerBoot: number };
  /** Bytes of the offer under way that are in the slot already. */
  readonly landedBytes: number;
  /** The size of the image that runs, which a swap moves too. */
  readonly runningBytes: number;
  readonly windows: MaintenanceWindows;
  /** Null while the device does not know the time. */
  readonly unixMs: number | null;
  /** What the server says of its own windows; false until a poll of this boot told. */
  readonly windowOpen: boolean;
  /** An install waits for the user of the device. */
  readonly asksBeforeInstall: boolean;
  /** The file that the user agreed to, or null. */
  readonly approvedFile: DigestHex | null;
  /** The last poll of this boot got no answer. */
  readonly networkDown: boolean;
  /** Images that were rolled back on this device. */
  readonly refused: readonly RefusedImage[];
  /** The offer whose image is in its soak, or null. */
  readonly soaking: AcceptedOffer | null;
}
