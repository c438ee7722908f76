import type { TrustedImageKey } from "../../src/image/keys.ts";
import type { DeviceLayout } from "../flash/layout.ts";
import type { NorFlash } from "../flash/nor-flash.ts";
import { type BootOutcome, boot } from "./boot.ts";
import type { BootConfig } from "./config.ts";
import { trialHook } from "./trial-hook.ts";

/**
 * The bootloader that Sluice ships: swap using move, P-256, the primary image checked at every
 * boot, no image with a lower security counter, and the trial-boot hook.
 */
export function sluiceConfig(
  layout: DeviceLayout,
  keys: readonly TrustedImageKey[],
  primaryStateHook: BootConfig["primaryStateHook"] = trialHook,
): BootConfig {
  return {
    mode: "swap-using-move",
    layout,
    maxAlign: 8,
    imageSectorsMax: layout.primary.sectors,
    keys,
    validatePrimary: true,
    downgradePrevention: "security-counter",
    hardwareCounter: null,
    primaryStateHook,
  };
}

/** Switches a device on: one run of the bootloader, see `boot`. */
export function bootDevice(
  flash: NorFlash,
  layout: DeviceLayout,
  keys: readonly TrustedImageKey[],
): BootOutcome {
  return boot(flash, sluiceConfig(layout, keys));
}
