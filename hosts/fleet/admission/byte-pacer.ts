/**
 * Spreads bytes over time: whoever takes some waits until those before are through. A waiter
 * holds one number.
 */
export class BytePacer {
  bytesPerSecond: number;
  readonly #nowMs: () => number;
  #freeAtMs = Number.NEGATIVE_INFINITY;

  /** `nowMs` only passes. */
  constructor(bytesPerSecond: number, nowMs: () => number) {
    this.bytesPerSecond = bytesPerSecond;
    this.#nowMs = nowMs;
  }

  /** In how many milliseconds the bytes may go; they are counted. */
  take(bytes: number): number {
    const nowMs = this.#nowMs();
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + (bytes * 1000) / this.bytesPerSecond;
    return this.#freeAtMs - nowMs;
  }
}
