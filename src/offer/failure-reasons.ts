import { trustRefusals } from "../trust/refusal.ts";

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
