import {
  beginWatch,
  type StabilityContext,
  type StabilityDecision,
  type StabilityEvent,
  watchStability,
} from "../../../src/policy/stability.ts";
import { decodeHistory, encodeHistory } from "../../../src/policy/stability-history.ts";
import {
  defaultStabilitySettings,
  type StabilitySettings,
  tickMsMax,
} from "../../../src/policy/stability-settings.ts";
import type { DigestHex } from "../../../src/protocol/digest.ts";

export const newImage = "11".repeat(32) as DigestHex;
export const oldImage = "22".repeat(32) as DigestHex;
export const otherImage = "33".repeat(32) as DigestHex;

type BootReason = Extract<StabilityEvent, { kind: "booted" }>["reason"];

/**
 * A device that confirmed its image just now: a true time, an uptime, and the history as an agent
 * keeps it.
 */
export class WatchedDevice {
  readonly settings: StabilitySettings;
  readonly decisions: StabilityDecision[] = [];
  /** True milliseconds since the confirm, with or without power. */
  nowMs = 0;
  /** What the wall clock shows on top of `nowMs`, or null without one. */
  clockMs: number | null;
  running: StabilityContext["running"] = { imageHash: newImage, securityCounter: 1 };
  secondary: StabilityContext["secondary"] = { imageHash: oldImage, securityCounter: 1 };
  stored: Uint8Array;
  writes = 1;
  #history: ReturnType<typeof beginWatch>;
  #bootedAtMs = -60_000;

  constructor(
    options: Partial<StabilitySettings> & { clockMs?: number; serverReached?: boolean } = {},
  ) {
    const { clockMs, serverReached, ...settings } = options;
    this.settings = { ...defaultStabilitySettings, ...settings };
    this.clockMs = clockMs ?? null;
    this.#history = beginWatch({
      imageHash: newImage,
      previousImageHash: oldImage,
      uptimeMs: 60_000,
      unixMs: this.clockMs,
      serverReached: serverReached ?? true,
    });
    this.stored = encodeHistory(this.#history);
  }

  get history(): ReturnType<typeof beginWatch> {
    return this.#history;
  }

  take(event: StabilityEvent): StabilityDecision {
    const step = watchStability(
      this.#history,
      event,
      {
        uptimeMs: this.nowMs - this.#bootedAtMs,
        unixMs: this.clockMs === null ? null : this.clockMs + this.nowMs,
        running: this.running,
        secondary: this.secondary,
      },
      this.settings,
    );
    this.#history = step.history;
    if (step.store) {
      this.stored = encodeHistory(step.history);
      this.writes += 1;
    }
    if (step.decision.kind !== "none") this.decisions.push(step.decision);
    return step.decision;
  }

  /** Runs with the ticks that an agent gives, and says what goes on at each of them. */
  run(forMs: number, event: StabilityEvent = { kind: "tick" }): StabilityDecision {
    let decision: StabilityDecision = { kind: "none" };
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs && decision.kind === "none"; ) {
      const stepMs = Math.min(tickMsMax, endMs - this.nowMs);
      this.nowMs += stepMs;
      if (stepMs === tickMsMax) decision = this.take(event);
    }
    return decision;
  }

  /** A reset: all that was not stored is lost. */
  boot(reason: BootReason, options: { offMs?: number } = {}): StabilityDecision {
    this.nowMs += options.offMs ?? 0;
    this.#bootedAtMs = this.nowMs;
    this.nowMs += 1500;
    const history = decodeHistory(this.stored);
    if (history === null) throw new Error("the stored history cannot be read");
    this.#history = history;
    return this.take({ kind: "booted", reason });
  }
}

export const second = 1000;
export const minute = 60 * second;
export const hour = 60 * minute;
export const someTime = Date.UTC(2025, 5, 1);
export const missed: StabilityEvent = { kind: "serverMissed", linkUp: true, other: "missed" };
export const failing: StabilityEvent = { kind: "health", failing: true };
export const passing: StabilityEvent = { kind: "health", failing: false };

export function crashes(
  device: WatchedDevice,
  runsMs: readonly number[],
  reason = "exception" as const,
) {
  return runsMs.map((runMs) => {
    device.run(runMs);
    return device.boot(reason).kind;
  });
}
