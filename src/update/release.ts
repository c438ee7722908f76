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
export type FailureReason =
  // the image is not for this device, found before the download
  | "hardware-mismatch"
  | "downgrade"
  | "security-counter"
  | "image-too-large"
  | "image-malformed"
  | "key-unknown"
  | "signature-invalid"
  | "rolled-back-before"
  // the transfer
  | "network"
  | "server-error"
  | "artifact-missing"
  | "response-invalid"
  | "hash-mismatch"
  | "offer-mismatch"
  // the device
  | "flash-error"
  | "storage-error"
  | "bootloader-refused"
  | "activation-not-started"
  | "internal-error";

/** Why the previous image came back. */
export type RollbackReason =
  | "crashed"
  | "watchdog"
  | "no-server"
  | "health-check"
  | "confirm-failed"
  | "not-confirmed";

export type DeferralReason = "low-battery" | "window-closed";
