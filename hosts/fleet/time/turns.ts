import { TooBusyError } from "../terms/faults.ts";

/**
 * Work of which only so much may be under way at once, and only so much may wait. Whoever comes
 * beyond that is refused with `TooBusyError`.
 */
export class Turns {
  readonly #what: string;
  readonly #atOnceMax: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #underWay = 0;

  constructor(what: string, bounds: { readonly atOnceMax: number; readonly waitingMax: number }) {
    this.#what = what;
    this.#atOnceMax = bounds.atOnceMax;
    this.#waitingMax = bounds.waitingMax;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#underWay >= this.#atOnceMax) {
      if (this.#waiting.length >= this.#waitingMax)
        throw new TooBusyError(
          `${this.#waitingMax} ${this.#what} wait for their turn already; ask again later`,
        );
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else this.#underWay += 1;
    try {
      return await work();
    } finally {
      // A turn is handed on as it is, so that nobody who comes in between can take it.
      const next = this.#waiting.shift();
      if (next === undefined) this.#underWay -= 1;
      else next();
    }
  }
}
