import type { DigestHex } from "../protocol/digest.ts";

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
}

/** An offer whose header and TLVs were read and found fit for this device. */
export interface Release extends Offer {
  /** The SHA-256 TLV of the image: what will run. */
  readonly imageHash: DigestHex;
}

/** Why a release will not be installed, or was not kept. The server gets these words. */
export const failureReasons = [
  // the offer
  "malformed-deployment",
  "unsupported-deployment",
  "unsupported-url",
  "http-not-allowed",
  // the image is not for this device, found before the download
  "hardware-mismatch",
  "downgrade",
  "security-counter",
  "image-too-large",
  "image-malformed",
  "key-unknown",
  "signature-invalid",
  "rolled-back-before",
  // the transfer
  "network",
  "server-error",
  "artifact-missing",
  "response-invalid",
  "hash-mismatch",
  "offer-mismatch",
  // the device
  "slot-layout",
  "flash-error",
  "storage-error",
  "bootloader-refused",
  "activation-not-started",
  "internal-error",
] as const;

export type FailureReason = (typeof failureReasons)[number];

/** Why the previous image came back. */
export const rollbackReasons = [
  "crashed",
  "watchdog",
  "no-server",
  "health-check",
  "confirm-failed",
  "not-confirmed",
] as const;

export type RollbackReason = (typeof rollbackReasons)[number];

export const deferralReasons = ["low-battery", "window-closed"] as const;

export type DeferralReason = (typeof deferralReasons)[number];

/** The same file under the same action; only its address may have changed. */
export function isSameOffer(a: Offer | null, b: Offer | null): boolean {
  if (a === null || b === null) return a === b;
  return a.actionId === b.actionId && a.fileHash === b.fileHash && a.fileBytes === b.fileBytes;
}

/** Null while the hash of the image is not known. */
export function asRelease(offer: Offer): Release | null {
  return offer.imageHash === null ? null : { ...offer, imageHash: offer.imageHash };
}
