import type { Clock } from "../ports/board.ts";

/**
 * One piece of work that takes its time and may be given up meanwhile. Its pauses end at once when
 * it is, so that abandoned work holds neither a timer nor its buffers.
 */
export class LongWork {
  readonly #clock: Clock;
  #abandoned = false;
  #endPause: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get abandoned(): boolean {
    return this.#abandoned;
  }

  abandon(): void {
    this.#abandoned = true;
    this.#endPause?.();
  }

  /** Lets other work run for so long; one pause at a time. */
  pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.#abandoned) return resolve();
      const timer = this.#clock.after(delayMs, () => {
        this.#endPause = null;
        resolve();
      });
      this.#endPause = () => {
        this.#endPause = null;
        timer.cancel();
        resolve();
      };
    });
  }
}
