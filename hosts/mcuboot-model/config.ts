import type { TrustedImageKey } from "../../src/image/keys.ts";
import type { TrailerShape, UpgradeMode } from "../../src/image/trailer.ts";
import type { FlashLayout } from "../flash/layout.ts";
import type { PrimaryStateHookFactory } from "./primary-state-hook.ts";

/**
 * A security counter outside the flash (boot_nv_security_counter_*), for hardware rollback
 * protection.
 */
export interface SecurityCounter {
  read(): number;
  /** Keeps the higher value. */
  raise(value: number): void;
}

/** What MCUboot is built with, the TLV allow list always on; the flash gives the write block. */
export interface BootConfig {
  readonly mode: UpgradeMode;
  readonly layout: FlashLayout;
  /** BOOT_MAX_ALIGN: 8, or 32 with flash encryption. */
  readonly maxAlign: TrailerShape["maxAlignBytes"];
  /** BOOT_MAX_IMG_SECTORS. */
  readonly imageSectorsMax: number;
  /** The keys that images may be signed with, all of one algorithm. */
  readonly keys: readonly TrustedImageKey[];
  /** MCUBOOT_VALIDATE_PRIMARY_SLOT. */
  readonly validatePrimary: boolean;
  readonly downgradePrevention: "none" | "version" | "security-counter";
  /** MCUBOOT_HW_ROLLBACK_PROT; null builds without it. */
  readonly hardwareCounter: SecurityCounter | null;
  /** boot_read_swap_state_primary_slot_hook; null builds without it. */
  readonly primaryStateHook: PrimaryStateHookFactory | null;
}
