import type { Clock, TimerHandle } from "../../src/ports/board.ts";

interface Timer {
  readonly atMs: number;
  readonly run: () => void;
}

/**
 * Time that moves only when the test says so. Timers fire in the order of their times, then of
 * their setting.
 */
export class ManualClock implements Clock {
  nowMs = 0;
  unixStartMs: number | null = null;
  #timers: Timer[] = [];

  uptimeMs(): number {
    return this.nowMs;
  }

  unixMs(): number | null {
    return this.unixStartMs === null ? null : this.unixStartMs + this.nowMs;
  }

  after(delayMs: number, run: () => void): TimerHandle {
    const timer: Timer = { atMs: this.nowMs + Math.max(0, delayMs), run };
    this.#timers.push(timer);
    return { cancel: () => this.#remove(timer) };
  }

  /** Timers that are set. */
  get pending(): number {
    return this.#timers.length;
  }

  /** When the next timer fires, or null. */
  get nextMs(): number | null {
    return this.#next()?.atMs ?? null;
  }

  /** Moves to the next timer and fires it; false when there is none up to `untilMs`. */
  fireNext(untilMs = Number.POSITIVE_INFINITY): boolean {
    const next = this.#next();
    if (next === null || next.atMs > untilMs) return false;
    this.#remove(next);
    this.nowMs = Math.max(this.nowMs, next.atMs);
    next.run();
    return true;
  }

  #next(): Timer | null {
    let next: Timer | null = null;
    for (const timer of this.#timers) if (next === null || timer.atMs < next.atMs) next = timer;
    return next;
  }

  #remove(timer: Timer): void {
    this.#timers = this.#timers.filter((other) => other !== timer);
  }
}

/**
 * Turns of the microtask queue after which a chain of promises without timers has come to its end.
 */
const turnsMax = 200;

/** Lets every promise go as far as it can without time. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < turnsMax; turn += 1) await Promise.resolve();
}
