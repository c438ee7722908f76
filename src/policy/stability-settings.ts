import type { ResetReason } from "../ports/board.ts";
import type { HeapRule } from "./heap-growth.ts";

/** More than `count` within `windowMs`; `count` up to 15. */
export interface ResetRule {
  readonly count: number;
  readonly windowMs: number;
}

/** Each rule can be switched off with null. */
export interface StabilitySettings {
  /** How long a confirmed image is watched. */
  readonly soakMs: number;
  readonly reboots: ResetRule | null;
  readonly watchdogResets: ResetRule | null;
  readonly healthFailingMs: number | null;
  readonly noServerMs: number | null;
  readonly leak: HeapRule | null;
  /**
   * Resets that nobody planned and that speak against the image. Not `power-on` (somebody pulled
   * the plug) and not
   * `brownout` (an empty battery): a supply that flaps must not roll back a village.
   */
  readonly countedResets: readonly ResetReason[];
  /** The history is stored this often at most, then the watch ends. */
  readonly writesMax: number;
}

export const defaultStabilitySettings: StabilitySettings = {
  soakMs: 24 * 3600_000,
  reboots: { count: 3, windowMs: 300_000 },
  watchdogResets: { count: 5, windowMs: 600_000 },
  healthFailingMs: 120_000,
  noServerMs: 300_000,
  leak: { periodMs: 1_800_000, periods: 6, growthBytesMin: 2048, exhaustionMs: 7 * 86_400_000 },
  countedResets: ["software", "exception", "watchdog", "unknown"],
  writesMax: 128,
};

/**
 * `tick` comes at least this often, so that a crash soon after a restart is told from one long
 * after it.
 */
export const tickMsMax = 10_000;
