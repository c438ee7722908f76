/**
 * Virtual time: what happens next happens at once, in the order of its time and then of its making.
 */
export class Scheduler {
  #nowMs: number;
  #sequence = 0;
  readonly #startUnixMs: number;
  readonly #heap: Entry[] = [];

  /** `nowMs` takes a simulation up where another one was left. */
  constructor(startUnixMs: number, nowMs = 0) {
    this.#startUnixMs = startUnixMs;
    this.#nowMs = nowMs;
  }

  /** Milliseconds since the simulation began. */
  get nowMs(): number {
    return this.#nowMs;
  }

  unixMs(): number {
    return this.#startUnixMs + this.#nowMs;
  }

  /** Runs `run` after `delayMs`; the answer cancels it. */
  after(delayMs: number, run: () => void | Promise<void>): () => void {
    this.#sequence += 1;
    const entry: Entry = {
      atMs: this.#nowMs + Math.max(0, delayMs),
      sequence: this.#sequence,
      run,
      cancelled: false,
    };
    this.#push(entry);
    return () => {
      entry.cancelled = true;
    };
  }

  /** When the next thing happens; null when nothing is left. */
  get nextMs(): number | null {
    while (this.#heap[0]?.cancelled === true) this.#pop();
    return this.#heap[0]?.atMs ?? null;
  }

  /** Takes the next thing and waits for it; false when nothing is left. */
  async step(): Promise<boolean> {
    for (let entry = this.#pop(); entry !== undefined; entry = this.#pop()) {
      if (entry.cancelled) continue;
      this.#nowMs = Math.max(this.#nowMs, entry.atMs);
      await entry.run();
      return true;
    }
    return false;
  }

  /** Steps until `done` says so; false when time or work runs out first. */
  async runUntil(done: () => boolean, limitMs: number): Promise<boolean> {
    while (!done()) {
      if (this.#nowMs > limitMs || !(await this.step())) return done();
    }
    return true;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || last === first) return first;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const smaller = right < heap.length && before(heap[right]!, heap[left]!) ? right : left;
      if (!before(heap[smaller]!, last)) break;
      heap[index] = heap[smaller]!;
      index = smaller;
    }
    heap[index] = last;
    return first;
  }
}

interface Entry {
  readonly atMs: number;
  readonly sequence: number;
  readonly run: () => void | Promise<void>;
  cancelled: boolean;
}

function before(one: Entry, other: Entry): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.sequence < other.sequence);
}
