import type { ImageInfo } from "../image/info.ts";
import type { SignedReleaseFacts } from "../image/release-facts.ts";
import { compareVersions, formatVersion, type ImageVersion } from "../image/version.ts";

/** What of this device and of the image that runs the rules look at. */
export interface DeviceProfile {
  /** `family-revision`, as enrolled. */
  readonly hardware: string;
  readonly version: ImageVersion;
  /** Null when the running image has none; MCUboot then counts it as 0. */
  readonly securityCounter: number | null;
  /** Null when the bootloader does not tell; it then satisfies no minimum. */
  readonly bootloaderVersion: ImageVersion | null;
  /**
   * The schema version of the stored configuration; null when the device has none, which suits
   * every release.
   */
  readonly configurationSchema: number | null;
}

/** A release as the rules see it. */
export interface ReleaseFacts extends SignedReleaseFacts {
  readonly version: ImageVersion;
  /** The ids it fits; empty fits none. */
  readonly hardware: readonly string[];
  readonly securityCounter: number | null;
}

/**
 * The facts of a release from its image's header and TLVs, the signed facts among them. A list of
 * hardware that leaves out the id in the image contradicts the image: such a release fits nothing.
 */
export function releaseFacts(
  image: ImageInfo,
  signed: SignedReleaseFacts = image.release,
): ReleaseFacts {
  const own = image.hardware === null ? [] : [image.hardware];
  const listed = signed.hardware ?? own;
  const hardware = own.some((id) => listed.includes(id)) ? listed : [];
  const { securityCounter } = image;
  return { ...signed, version: image.header.version, hardware, securityCounter };
}

/** The first three hold for every image, with or without signed facts. */
export type CompatibilityRule =
  | "hardware-mismatch"
  | "security-counter"
  | "downgrade"
  | "major-not-approved"
  | "breaking-not-approved"
  | "stepping-stone"
  | "bootloader-too-old"
  | "schema-range";

/** The first rule that a release breaks, with its numbers as texts for reports. */
export interface Incompatibility {
  readonly rule: CompatibilityRule;
  /** What is the case, for example `image 1.1.0 on 1.2.0`. */
  readonly found: string;
  /** What the rule asks for, for example `1.2.0 or newer`. */
  readonly needed: string;
}

/**
 * May this release be installed here? The first rule that it breaks, in this order, or null.
 *
 * | rule                    | refuses                                                                                   |
 * | `hardware-mismatch`     | a device whose id is not among the release's                                              |
 * | `security-counter`      | a lower counter than the running image's; the bootloader would erase the download         |
 * | `downgrade`             | an older version, unless signed as allowed and of the same major and minor version        |
 * | `major-not-approved`    | another major version without approval                                                    |
 * | `breaking-not-approved` | a new minor version that is marked as breaking without approval; a patch needs none       |
 * | `stepping-stone`        | a device that runs something older than the version required in between                   |
 * | `bootloader-too-old`    | a bootloader below the minimum, or one that does not tell its version                     |
 * | `schema-range`          | a stored configuration whose schema the release cannot read                               |
 *
 * `approved`: an operator approved this release for this device. A late rollback is a swap of what
 * was there before and is not asked here.
 */
export function findIncompatibility(
  release: ReleaseFacts,
  device: DeviceProfile,
  options: { readonly approved: boolean },
): Incompatibility | null {
  return (
    basicIncompatibility(release, device) ??
    (options.approved ? null : approvalNeeded(release, device)) ??
    tooOldDevice(release, device) ??
    foreignSchema(release, device)
  );
}

/** One line for reports: `downgrade: image 1.1.0 on 1.2.0, needs 1.2.0 or newer`. */
export function describeIncompatibility({ rule, found, needed }: Incompatibility): string {
  return `${rule}: ${found}, needs ${needed}`;
}

/**
 * The rules that hold for every image. The counter rule is the bootloader's own
 * (`MCUBOOT_DOWNGRADE_PREVENTION` by security counter): asked here first, because the bootloader
 * answers by erasing what was downloaded.
 */
function basicIncompatibility(
  release: ReleaseFacts,
  device: DeviceProfile,
): Incompatibility | null {
  if (!release.hardware.includes(device.hardware)) {
    const fits = release.hardware.join(" or ") || "no hardware at all";
    return { rule: "hardware-mismatch", found: `device ${device.hardware}`, needed: fits };
  }
  const counter = release.securityCounter ?? 0;
  const counterMin = device.securityCounter ?? 0;
  if (counter < counterMin)
    return {
      rule: "security-counter",
      found: `counter ${counter}`,
      needed: `${counterMin} or higher`,
    };
  if (compareVersions(release.version, device.version) >= 0) return null;
  if (release.downgradeAllowed && isSameSeries(release.version, device.version)) return null;
  const running = formatVersion(device.version);
  const series = `${device.version.major}.${device.version.minor}`;
  return {
    rule: "downgrade",
    found: `image ${formatVersion(release.version)} on ${running}`,
    needed: `${running} or newer, or a release of ${series} signed as a downgrade`,
  };
}

function approvalNeeded(release: ReleaseFacts, device: DeviceProfile): Incompatibility | null {
  const found = `image ${formatVersion(release.version)} on ${formatVersion(device.version)}`;
  if (release.version.major !== device.version.major)
    return { rule: "major-not-approved", found, needed: "approval of the new major version" };
  if (release.breaking && release.version.minor !== device.version.minor)
    return { rule: "breaking-not-approved", found, needed: "approval of the breaking change" };
  return null;
}

function tooOldDevice(release: ReleaseFacts, device: DeviceProfile): Incompatibility | null {
  const { steppingStone, bootloaderVersionMin } = release;
  if (steppingStone !== null && compareVersions(device.version, steppingStone) < 0)
    return {
      rule: "stepping-stone",
      found: `running ${formatVersion(device.version)}`,
      needed: `${formatVersion(steppingStone)} first`,
    };
  if (bootloaderVersionMin === null) return null;
  const { bootloaderVersion } = device;
  if (bootloaderVersion !== null && compareVersions(bootloaderVersion, bootloaderVersionMin) >= 0)
    return null;
  return {
    rule: "bootloader-too-old",
    found: `bootloader ${bootloaderVersion === null ? "unknown" : formatVersion(bootloaderVersion)}`,
    needed: `${formatVersion(bootloaderVersionMin)} or newer`,
  };
}

function foreignSchema(release: ReleaseFacts, device: DeviceProfile): Incompatibility | null {
  const range = release.configurationSchemas;
  const schema = device.configurationSchema;
  if (range === null || schema === null) return null;
  if (schema >= range.min && schema <= range.max) return null;
  const needed = `${range.min} to ${range.max}`;
  return { rule: "schema-range", found: `configuration schema ${schema}`, needed };
}

function isSameSeries(a: ImageVersion, b: ImageVersion): boolean {
  return a.major === b.major && a.minor === b.minor;
}
