import { setTimeout as pause } from "node:timers/promises";

/**
 * The steps of a stop, within a time for all of them: a step that takes longer is left as it is and
 * told, and the next one still has its try.
 */
export class Stop {
  readonly #endsAtMs: number;
  /** For the steps after one that would take all that is left. */
  readonly #reserveMs: number;
  readonly #tell: (step: string, error: unknown) => void;

  constructor(stopMs: number, tell: (step: string, error: unknown) => void) {
    this.#endsAtMs = performance.now() + stopMs;
    this.#reserveMs = stopMs / 10;
    this.#tell = tell;
  }

  /** What a step may take that waits for somebody else, so that the others have their time too. */
  get patienceMs(): number {
    return Math.max(0, (this.#endsAtMs - performance.now() - this.#reserveMs) / 2);
  }

  /** Waits for a step; after `stepMsMax`, or at the end of the time for all, it is left. */
  async step(
    name: string,
    work: () => Promise<unknown> | undefined,
    stepMsMax = Number.POSITIVE_INFINITY,
  ): Promise<boolean> {
    const leftMs = Math.max(0, Math.min(this.#endsAtMs - performance.now(), stepMsMax));
    const timer = new AbortController();
    const late = pause(leftMs, "late" as const, { signal: timer.signal });
    late.catch(() => {}); // aborted below
    try {
      const ended = await Promise.race([Promise.resolve(work()), late]);
      if (ended !== "late") return true;
      this.#tell(name, new Error(`it did not end within ${Math.round(leftMs)} ms`));
    } catch (error) {
      this.#tell(name, error);
    } finally {
      timer.abort();
    }
    return false;
  }
}
