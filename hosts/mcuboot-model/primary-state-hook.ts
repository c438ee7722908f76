import type { BootArea } from "./boot-area.ts";
import type { SwapState, Trailer } from "./trailer.ts";

/** What the hook may use of the bootloader: the public calls of bootutil and the flash map. */
export interface HookBoard {
  readonly primary: Trailer;
  readonly secondary: Trailer;
  readonly bootctl: BootArea;
}

/**
 * MCUboot's `boot_read_swap_state_primary_slot_hook`: what the bootloader takes for the primary
 * slot's state.
 */
export type PrimaryStateHook = (board: HookBoard) => SwapState;

/** Makes the hook of one boot: its variables live as long as a boot does. */
export type PrimaryStateHookFactory = () => PrimaryStateHook;
