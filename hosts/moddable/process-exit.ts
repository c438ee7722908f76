import type { ResetReason } from "../../src/ports/board.ts";

/** The codes of exits.h. */
export const exitCodes = {
  restart: 10,
  powerCut: 11,
  flashRule: 12,
  exception: 13,
  notStarted: 14,
} as const;

/** How one boot of the firmware ended. */
export type BootEnd =
  /** The chip resets and boots again. */
  | { readonly kind: "reset"; readonly reason: ResetReason }
  /** The power failed in the middle of a flash operation. */
  | { readonly kind: "power-cut" }
  /** Somebody switched the board off. */
  | { readonly kind: "off" }
  /** No state of a board: the firmware broke a rule of its flash, or never ran. */
  | { readonly kind: "defect"; readonly message: string };

/** What takes a board's power: ours, and what a terminal sends to all that runs in it. */
const endingSignals: readonly NodeJS.Signals[] = ["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"];

/** The process of a boot plays the chip: its exit is the reset. */
export function bootEndOf(exitCode: number | null, signal: NodeJS.Signals | null): BootEnd {
  if (signal === "SIGALRM") return { kind: "reset", reason: "watchdog" };
  if (signal !== null && endingSignals.includes(signal)) return { kind: "off" };
  switch (exitCode) {
    case exitCodes.restart:
      return { kind: "reset", reason: "software" };
    case exitCodes.exception:
      return { kind: "reset", reason: "exception" };
    case exitCodes.powerCut:
      return { kind: "power-cut" };
    case exitCodes.flashRule:
      return { kind: "defect", message: "the firmware broke a rule of its flash" };
    case exitCodes.notStarted:
      return { kind: "defect", message: "the runner could not start the firmware" };
    default:
      return { kind: "defect", message: `the firmware ended with ${signal ?? exitCode}` };
  }
}
