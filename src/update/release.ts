import type { DigestHex } from "../protocol/digest.ts";
import { trustRefusals } from "../trust/refusal.ts";

/** An image that the server offers to this device under one action. */
export interface Offer {
  readonly actionId: string;
  readonly version: string;
  /** SHA-256 of the file that the URL serves. */
  readonly fileHash: DigestHex;
  readonly fileBytes: number;
  readonly url: string;
  /** Known before the download from our own server; a plain hawkBit does not say. */
  readonly imageHash: DigestHex | null;
  /** An operator approved a release that needs it: another major version, or a breaking one. */
  readonly approved: boolean;
  /** The server wants it now; a release that is signed for it then overrides the windows. */
  readonly forced: boolean;
  /** An operator wants an image tried again that was rolled back here. */
  readonly retry: boolean;
}

/** An offer whose header and TLVs were read and found fit for this device. */
export interface Release extends Offer {
  /** The SHA-256 TLV of the image: what will run. */
  readonly imageHash: DigestHex;
  /** Signed as a security fix that a server may force outside the windows. */
  readonly overridesWindows: boolean;
}

/** The device goes by signed metadata, and it does not say that this file may be installed here. */
const trustReasons = trustRefusals.map((reason) => `trust-${reason}` as const);

/** Why a release will not be installed, or was not kept. The server gets these words. */
export const failureReasons = [
  // the offer
  "malformed-deployment",
  "unsupported-deployment",
  "unsupported-url",
  "url-too-long",
  "url-ipv6",
  "http-not-allowed",
  // the image is not for this device, found before the download
  "hardware-mismatch",
  "downgrade",
  "security-counter",
  "stepping-stone",
  "bootloader-too-old",
  "schema-range",
  "image-too-large",
  "image-malformed",
  "key-unknown",
  "signature-invalid",
  "rolled-back-before",
  ...trustReasons,
  // the transfer
  "network",
  "server-error",
  "artifact-missing",
  "artifact-denied",
  "redirect-refused",
  "address-not-kept",
  "response-invalid",
  "response-malformed",
  "head-too-large",
  "content-encoded",
  "hash-mismatch",
  "offer-mismatch",
  // the device
  "slot-layout",
  "bootloader-mode",
  "flash-error",
  "storage-error",
  "bootloader-refused",
  "activation-not-started",
  "too-many-transitions",
  "internal-error",
] as const;

export type FailureReason = (typeof failureReasons)[number];

/** Why the previous image came back. */
export const rollbackReasons = [
  "crashed",
  "watchdog",
  // health checks of the trial
  "no-server",
  "server-refused",
  "health-check",
  "low-memory",
  "peripheral",
  "no-checks",
  "migration-failed",
  "bootloader-mode",
  "confirm-failed",
  "not-confirmed",
  // after the confirm, during the soak
  "late-rollback:watchdog",
  "late-rollback:reboots",
  "late-rollback:health",
  "late-rollback:leak",
  "late-rollback:no-server",
] as const;

export type RollbackReason = (typeof rollbackReasons)[number];

/** Nobody answered, which says nothing of the image. */
export function isSilence(reason: RollbackReason | null): boolean {
  return reason === "no-server" || reason === "late-rollback:no-server";
}

/** Why a late rollback that is needed does not come about. The server gets these words. */
export type RollbackImpossible =
  | "rollback-impossible: counter"
  | "rollback-impossible: flash-error";

export const deferralReasons = [
  "low-battery",
  "energy",
  "window-closed",
  "no-clock",
  "approval",
  "major-not-approved",
  "breaking-not-approved",
] as const;

export type DeferralReason = (typeof deferralReasons)[number];

/**
 * Stands in the journal for an address that is too long for it, in a form that earlier firmware reads
 * too: after a reset the next poll tells the address anew.
 */
export const addressNotKept = "http:///";

/** The same file under the same action; only its address may have changed. */
export function isSameOffer(a: Offer | null, b: Offer | null): boolean {
  if (a === null || b === null) return a === b;
  return a.actionId === b.actionId && a.fileHash === b.fileHash && a.fileBytes === b.fileBytes;
}

/** Null while the hash of the image is not known. */
export function asRelease(offer: Offer): Release | null {
  if (offer.imageHash === null) return null;
  return { overridesWindows: false, ...offer, imageHash: offer.imageHash };
}
