import { compareVersions, parseVersion } from "../../../src/image/version.ts";

export interface DeviceFacts {
  readonly hardware: string | null;
  /** Null until the device says what it runs. */
  readonly running: { readonly version: string; readonly imageHash: string } | null;
  /** Of the image that runs, where the fleet knows that image. */
  readonly runningSecurityCounter: number | null;
  /** Image hashes that this device rolled back and nobody cleared. */
  readonly refusedImages: ReadonlySet<string>;
}

export interface ImageFacts {
  readonly hardware: string;
  readonly version: string;
  readonly imageHash: string;
  readonly securityCounter: number | null;
}

/** Why a device is not offered an image. */
export type Ineligibility =
  | "other-hardware"
  | "already-running"
  | "rolled-back-before"
  | "older-version"
  | "lower-security-counter";

/**
 * Whether an image may be offered to a device. `allowDowngrade` lets an older version through; a lower security
 * counter never passes, because the bootloader would refuse it after the whole download.
 */
export function eligibility(
  device: DeviceFacts,
  image: ImageFacts,
  options: { readonly allowDowngrade: boolean },
): { readonly ok: true } | { readonly ok: false; readonly reason: Ineligibility } {
  if (device.hardware !== image.hardware) return { ok: false, reason: "other-hardware" };
  if (device.refusedImages.has(image.imageHash)) return { ok: false, reason: "rolled-back-before" };
  if (device.running === null) return { ok: true };
  if (device.running.imageHash === image.imageHash) return { ok: false, reason: "already-running" };
  if ((image.securityCounter ?? 0) < (device.runningSecurityCounter ?? 0))
    return { ok: false, reason: "lower-security-counter" };
  if (!options.allowDowngrade && isOlder(image.version, device.running.version))
    return { ok: false, reason: "older-version" };
  return { ok: true };
}

/** Whether version `a` is older than `b`; texts that are no versions are never older. */
export function isOlder(a: string, b: string): boolean {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  return left !== null && right !== null && compareVersions(left, right) < 0;
}
