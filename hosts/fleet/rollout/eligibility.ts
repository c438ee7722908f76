import type { SignedReleaseFacts } from "../../../src/image/release-facts.ts";
import { compareVersions, type ImageVersion, parseVersion } from "../../../src/image/version.ts";

export interface DeviceFacts {
  readonly hardware: string | null;
  /** Null until the device says what it runs. */
  readonly running: { readonly version: string; readonly imageHash: string } | null;
  /** The security counter of the image that runs, where the fleet knows that image. */
  readonly runningSecurityCounter: number | null;
  /** Image hashes that this device rolled back and nobody cleared. */
  readonly refusedImages: ReadonlySet<string>;
}

export interface ImageFacts {
  readonly hardware: string;
  readonly version: string;
  readonly imageHash: string;
  readonly securityCounter: number | null;
  /** What the image says of its release. */
  readonly release: SignedReleaseFacts;
}

/** What the operator of a rollout allows. */
export interface RolloutPermissions {
  readonly allowDowngrade: boolean;
  /** Another major version, or a minor one that is marked as breaking. */
  readonly approved: boolean;
  /** Devices that rolled the release back before get it again. */
  readonly retryRolledBack: boolean;
}

/** Why a device is not offered an image. */
export type Ineligibility =
  | "other-hardware"
  | "already-running"
  | "rolled-back-before"
  | "older-version"
  | "lower-security-counter"
  | "needs-approval"
  | "needs-stepping-stone"
  /** The device does not pass the filter of the rollout, or does not any more. */
  | "not-selected"
  /** The device runs what a later rollout brought, which is not older. */
  | "superseded";

/**
 * Whether an image may be offered to a device. `allowDowngrade` lets an older version through; a
 * lower security counter never passes, because the bootloader would refuse it after the whole
 * download. What the device would refuse by the signed facts of the release is not offered to it
 * either.
 */
export function eligibility(
  device: DeviceFacts,
  image: ImageFacts,
  permissions: RolloutPermissions,
): { readonly ok: true } | { readonly ok: false; readonly reason: Ineligibility } {
  if (device.hardware === null || !fitsHardware(image, device.hardware))
    return { ok: false, reason: "other-hardware" };
  if (device.refusedImages.has(image.imageHash) && !permissions.retryRolledBack)
    return { ok: false, reason: "rolled-back-before" };
  if (device.running === null) return { ok: true };
  if (device.running.imageHash === image.imageHash) return { ok: false, reason: "already-running" };
  if ((image.securityCounter ?? 0) < (device.runningSecurityCounter ?? 0))
    return { ok: false, reason: "lower-security-counter" };
  if (!permissions.allowDowngrade && isOlder(image.version, device.running.version))
    return { ok: false, reason: "older-version" };
  const running = parseVersion(device.running.version);
  const reason = running === null ? null : missingStep(image, running, permissions.approved);
  return reason === null ? { ok: true } : { ok: false, reason };
}

/**
 * Whether a configuration document may be offered to a device: a device takes none that is not
 * newer.
 */
export function configurationEligibility(
  device: {
    readonly hardware: string | null;
    /** The version of the configuration in effect; null while the device tells none. */
    readonly configurationVersion: number | null;
    readonly refusedImages: ReadonlySet<string>;
  },
  document: { readonly imageHash: string; readonly configurationVersion: number },
  permissions: Pick<RolloutPermissions, "retryRolledBack">,
): { readonly ok: true } | { readonly ok: false; readonly reason: Ineligibility } {
  if (device.hardware === null) return { ok: false, reason: "other-hardware" };
  if (device.refusedImages.has(document.imageHash) && !permissions.retryRolledBack)
    return { ok: false, reason: "rolled-back-before" };
  const before = device.configurationVersion ?? 0;
  if (before === document.configurationVersion) return { ok: false, reason: "already-running" };
  return before < document.configurationVersion
    ? { ok: true }
    : { ok: false, reason: "older-version" };
}

/** The hardware in the image itself, or one that its signed facts name beside it. */
export function fitsHardware(
  image: Pick<ImageFacts, "hardware" | "release">,
  hardware: string,
): boolean {
  const listed = image.release.hardware ?? [image.hardware];
  return listed.includes(image.hardware) && listed.includes(hardware);
}

function missingStep(
  image: ImageFacts,
  running: ImageVersion,
  approved: boolean,
): Ineligibility | null {
  const version = parseVersion(image.version);
  if (version === null) return null;
  const isMajor = version.major !== running.major;
  const isBreaking = image.release.breaking && version.minor !== running.minor;
  if ((isMajor || isBreaking) && !approved) return "needs-approval";
  const { steppingStone } = image.release;
  const isTooOld = steppingStone !== null && compareVersions(running, steppingStone) < 0;
  return isTooOld ? "needs-stepping-stone" : null;
}

/** Whether version `a` is older than `b`; texts that are no versions are never older. */
export function isOlder(a: string, b: string): boolean {
  const [left, right] = [parseVersion(a), parseVersion(b)];
  return left !== null && right !== null && compareVersions(left, right) < 0;
}
