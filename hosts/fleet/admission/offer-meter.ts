/** A minute, and the second that is under way. */
const secondsKept = 61;

/**
 * How many offers were made in the last minute, by the second: whichever minute one looks at, no
 * more were made in it than the meter allowed.
 */
export class OfferMeter {
  readonly #counts = new Int32Array(secondsKept);
  readonly #seconds = new Float64Array(secondsKept).fill(Number.NEGATIVE_INFINITY);

  take(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const at = second % secondsKept;
    if (this.#seconds[at] !== second) {
      this.#seconds[at] = second;
      this.#counts[at] = 0;
    }
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
  }

  used(nowMs: number): number {
    const oldest = Math.floor(nowMs / 1000) - secondsKept + 1;
    let sum = 0;
    for (let at = 0; at < secondsKept; at += 1)
      if ((this.#seconds[at] ?? 0) >= oldest) sum += this.#counts[at] ?? 0;
    return sum;
  }

  /** When `count` offers may be made at so many a minute, each as soon as it may. */
  whenFree(count: number, perMinute: number, nowMs: number): number {
    const owed = count - (perMinute - this.used(nowMs));
    if (owed <= 0) return nowMs;
    const rounds = Math.floor((owed - 1) / perMinute);
    let left = owed - rounds * perMinute;
    const oldest = Math.floor(nowMs / 1000) - secondsKept + 1;
    let freeAtMs = nowMs + secondsKept * 1000;
    for (let second = oldest; second < oldest + secondsKept; second += 1) {
      const at = ((second % secondsKept) + secondsKept) % secondsKept;
      if (this.#seconds[at] !== second) continue;
      left -= this.#counts[at] ?? 0;
      if (left > 0) continue;
      freeAtMs = (second + secondsKept) * 1000;
      break;
    }
    return freeAtMs + rounds * secondsKept * 1000;
  }
}
