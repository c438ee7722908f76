/** Where a server takes its times from. */
export interface FleetClock {
  /** The wall clock, which steps in both directions: for people, windows and expiry. */
  unixMs(): number;
  /**
   * Time that only passes, from any start: for durations. A clock without it never steps, as a
   * virtual one; should it go back all the same, nothing passes until the next look.
   */
  monotonicMs?(): number;
}

/** The clocks of this machine. */
export const systemClock: Required<FleetClock> = {
  unixMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** Counts what passes of a clock, never backwards. */
export class Stopwatch {
  readonly #readMs: () => number;
  #lastMs: number;
  #passedMs = 0;

  constructor(clock: FleetClock) {
    this.#readMs = () => clock.monotonicMs?.() ?? clock.unixMs();
    this.#lastMs = this.#readMs();
  }

  /** Since it was made. */
  passedMs(): number {
    const nowMs = this.#readMs();
    if (nowMs > this.#lastMs) this.#passedMs += nowMs - this.#lastMs;
    this.#lastMs = nowMs;
    return this.#passedMs;
  }
}
