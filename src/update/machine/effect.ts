import type { FailureReason } from "../../offer/failure-reasons.ts";
import type { AcceptedOffer, Offer } from "../../offer/offer.ts";
import type { DigestHex } from "../../protocol/digest.ts";
import type { Execution } from "../../protocol/executions.ts";
import type { DeferralReason, RollbackImpossible, RollbackReason } from "./reasons.ts";
import type { RefusalCause } from "./refused-images.ts";
import type { State } from "./state.ts";

/**
 * What to do next, as data. The runner stores the state before it performs any of them, and each is
 * safe to repeat: after a power cut the same effect comes out of the stored state again.
 */
export type Effect =
  /** Fetch the image's header and TLVs and judge them: `checked` or `checkFailed`. */
  | { readonly kind: "check"; readonly offer: Offer }
  /** Erase what is not blank of the slot: `prepared`. */
  | { readonly kind: "prepare"; readonly offer: AcceptedOffer }
  /** Stream the rest of the file into the slot: `downloaded` or `downloadFailed`. */
  | { readonly kind: "download"; readonly offer: AcceptedOffer }
  /** Hash the slot and check the signature: `verified` or `verifyFailed`. */
  | { readonly kind: "verify"; readonly offer: AcceptedOffer }
  /** Stop whatever of the above is under way; its result will not come. */
  | { readonly kind: "abandon" }
  /**
   * Name the swap in the trailer, without asking for it yet: `swapPrepared` or `swapFailed`.
   */
  | { readonly kind: "prepareSwap"; readonly offer: AcceptedOffer }
  /**
   * Write the magic that asks the bootloader for a trial: `swapRequested` or `swapFailed`.
   */
  | { readonly kind: "requestSwap"; readonly offer: AcceptedOffer }
  | { readonly kind: "restart" }
  /**
   * Run the health checks until they pass or the time of this boot is over: `healthy` or
   * `trialEnded`.
   */
  | { readonly kind: "validate" }
  /** Mark the running image as good: `confirmWritten` or `confirmFailed`. */
  | { readonly kind: "confirm" }
  /**
   * Ask the bootloader for the image before this one, for good: `rollbackRequested` or
   * `rollbackFailed`.
   */
  | { readonly kind: "requestRollback" }
  /** Do not take this image again unless the server clears it, or a pause after silence is over. */
  | { readonly kind: "refuse"; readonly imageHash: DigestHex; readonly cause: RefusalCause }
  /** The server cleared it: it may be tried again. */
  | { readonly kind: "pardon"; readonly imageHash: DigestHex }
  | { readonly kind: "report"; readonly report: Report }
  | { readonly kind: "acknowledgeCancel"; readonly actionId: string; readonly accepted: boolean };

/** One message about an action. A final one is repeated at every poll until it is acknowledged. */
export interface Report {
  readonly actionId: string;
  readonly execution: Execution;
  readonly finished: "none" | "success" | "failure";
  readonly state: State["kind"];
  readonly reason: FailureReason | RollbackReason | RollbackImpossible | DeferralReason | null;
  /** The numbers behind the reason, in words; null when it says all. */
  readonly detail: string | null;
  /** Null when the offer could not be read. */
  readonly version: string | null;
}
