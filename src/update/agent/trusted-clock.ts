import type { Clock } from "../../ports/board.ts";

/**
 * The time that windows are judged by: that of the device's own clock; while that is not set, the
 * time that the director told in this boot, and what has passed since. A restart forgets it: how
 * long a device was off, nothing tells.
 */
export class TrustedClock {
  readonly #clock: Clock;
  #told: { readonly unixMs: number; readonly uptimeMs: number } | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The director told the time, just now. */
  heard(unixMs: number): void {
    this.#told = { unixMs, uptimeMs: this.#clock.uptimeMs() };
  }

  /** Milliseconds since 1970, or null while nobody told the time. */
  unixMs(): number | null {
    const own = this.#clock.unixMs();
    if (own !== null || this.#told === null) return own;
    return this.#told.unixMs + this.#clock.uptimeMs() - this.#told.uptimeMs;
  }
}
