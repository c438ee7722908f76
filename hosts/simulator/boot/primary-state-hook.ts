import type { BootArea } from "./boot-area.ts";
import type { SwapState } from "./trailer.ts";

/** What the hook may use of the bootloader: the public calls of bootutil and the flash map. */
export interface HookBoard {
  /** boot_read_swap_state_by_id of the primary slot. */
  readPrimaryState(): SwapState;
  /** boot_read_swap_state_by_id of the secondary slot. */
  readSecondaryState(): SwapState;
  /** Erases the sectors that hold the secondary slot's trailer. */
  eraseSecondaryTrailer(): void;
  readonly bootctl: BootArea;
}

/** MCUboot's `boot_read_swap_state_primary_slot_hook`: what the bootloader takes for the primary slot's state. */
export type PrimaryStateHook = (board: HookBoard) => SwapState;

/** Makes the hook of one boot: its variables live as long as a boot does. */
export type PrimaryStateHookFactory = () => PrimaryStateHook;
