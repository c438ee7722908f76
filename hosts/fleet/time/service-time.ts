import { type FleetClock, Stopwatch } from "./clock.ts";

/** A tick that is due and comes this late means that requests waited as long. */
const lateMinMs = 15_000;
/**
 * The wall clock was set, not only trimmed, when it moved by this much against the monotonic one.
 */
const stepMinMs = 2000;
/** Steps are told at most this often; those in between are told as one. */
const tellEveryMs = 60_000;

/** What a tick finds out about the time since the tick before it. */
export interface TickTimes {
  /** The tick came so late that devices could not rely on the server. */
  readonly isLate: boolean;
  /** By how much the wall clock was set since it was last told, or null. */
  readonly clockStepMs: number | null;
}

/**
 * The time in which this database was served, summed over restarts: what soaks, proofs, stragglers
 * and outages are measured in. No step of a wall clock moves it, and time in which the server was
 * stopped, suspended or stuck is not in it, because nothing could be heard of any device then. See
 * docs/decisions/durations-are-monotonic.md.
 */
export class ServiceTime {
  readonly #clock: FleetClock;
  readonly #stopwatch: Stopwatch;
  readonly #untickedMsMax: number;
  /** When this server started. */
  readonly startMs: number;
  #baseMs: number;
  #tickedMs = 0;
  #wallAheadMs: number;
  #toldMs = Number.NEGATIVE_INFINITY;
  #seenAheadMs: number;
  #steps = 0;

  /** `ticksEveryMs` is how often the owner of the server ticks, or null when no tick is late. */
  constructor(clock: FleetClock, options: { startMs: number; ticksEveryMs: number | null }) {
    this.#clock = clock;
    this.#stopwatch = new Stopwatch(clock);
    this.#baseMs = options.startMs;
    this.startMs = options.startMs;
    this.#untickedMsMax =
      options.ticksEveryMs === null ? Number.POSITIVE_INFINITY : lateMinMs + options.ticksEveryMs;
    this.#wallAheadMs = clock.unixMs();
    this.#seenAheadMs = this.#wallAheadMs;
  }

  nowMs(): number {
    const untickedMs = this.#stopwatch.passedMs() - this.#tickedMs;
    return Math.floor(this.#baseMs + Math.min(untickedMs, this.#untickedMsMax));
  }

  /** How often the wall clock was seen to have been set. */
  get clockSteps(): number {
    return this.#steps;
  }

  tick(): TickTimes {
    const passedMs = this.#stopwatch.passedMs();
    const untickedMs = passedMs - this.#tickedMs;
    this.#tickedMs = passedMs;
    this.#baseMs += Math.min(untickedMs, this.#untickedMsMax);
    return {
      isLate: untickedMs >= this.#untickedMsMax,
      clockStepMs: this.#clockStepMs(passedMs),
    };
  }

  #clockStepMs(passedMs: number): number | null {
    const aheadMs = this.#clock.unixMs() - passedMs;
    if (Math.abs(aheadMs - this.#seenAheadMs) >= stepMinMs) {
      this.#steps += 1;
      this.#seenAheadMs = aheadMs;
    }
    const stepMs = aheadMs - this.#wallAheadMs;
    if (Math.abs(stepMs) < stepMinMs || passedMs - this.#toldMs < tellEveryMs) return null;
    this.#wallAheadMs = aheadMs;
    this.#seenAheadMs = aheadMs;
    this.#toldMs = passedMs;
    return Math.round(stepMs);
  }
}
