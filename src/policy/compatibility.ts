import type { ImageInfo } from "../image/info.ts";
import { compareVersions, type ImageVersion } from "../image/version.ts";

/** What of this device and of the image that runs the rules look at. */
export interface DeviceFacts {
  /** `family-revision`, as enrolled. */
  readonly hardware: string;
  readonly version: ImageVersion;
  /** Null when the running image has none; MCUboot then counts it as 0. */
  readonly securityCounter: number | null;
}

export type CompatibilityRefusal = "hardware-mismatch" | "security-counter" | "downgrade";

/**
 * May this image be installed here? The first rule that it breaks, or null.
 * The counter rule is the bootloader's own (`MCUBOOT_DOWNGRADE_PREVENTION` by security counter): asked here first,
 * because the bootloader answers by erasing what was downloaded.
 */
export function incompatibility(
  image: ImageInfo,
  device: DeviceFacts,
): CompatibilityRefusal | null {
  if (image.hardware !== device.hardware) return "hardware-mismatch";
  if ((image.securityCounter ?? 0) < (device.securityCounter ?? 0)) return "security-counter";
  if (compareVersions(image.header.version, device.version) < 0) return "downgrade";
  return null;
}
