/** What a firmware opens and has to close. */
export const handleKinds = ["digest", "socket", "timer", "partition", "storage"] as const;
export type HandleKind = (typeof handleKinds)[number];

/** More than these at once is a leak: the firmware needs half of each at its busiest. */
const openMax: Readonly<Record<HandleKind, number>> = {
  digest: 8,
  socket: 2,
  timer: 64,
  partition: 8,
  storage: 8,
};

/**
 * While nothing is under way. A digest over a whole file stays open across the pauses of its
 * download, and timers wait for the next poll and the next look at the device's health.
 */
const openAtRestMax: Readonly<Record<HandleKind, number>> = {
  digest: 1,
  socket: 0,
  timer: 12,
  partition: 8,
  storage: 8,
};

/** The firmware keeps what it should have closed; a board would run out of it. The run is over. */
export class ResourceLeak extends Error {
  override readonly name = "ResourceLeak";
}

/** Counts what is open in one boot. */
export class OpenHandles {
  readonly #open = new Map<HandleKind, number>(handleKinds.map((kind) => [kind, 0]));

  get counts(): Readonly<Record<HandleKind, number>> {
    return Object.fromEntries(this.#open) as Record<HandleKind, number>;
  }

  opened(kind: HandleKind): void {
    const open = this.#count(kind) + 1;
    this.#open.set(kind, open);
    if (open > openMax[kind])
      throw new ResourceLeak(`${open} of kind ${kind} are open, at most ${openMax[kind]} may be`);
  }

  closed(kind: HandleKind): void {
    this.#open.set(kind, Math.max(0, this.#count(kind) - 1));
  }

  /** Called when nothing is under way; null where nothing was kept that should not be. */
  leakAtRest(): ResourceLeak | null {
    for (const kind of handleKinds) {
      const open = this.#count(kind);
      const max = openAtRestMax[kind];
      if (open > max)
        return new ResourceLeak(`${open} of kind ${kind} are open at rest, at most ${max} may be`);
    }
    return null;
  }

  #count(kind: HandleKind): number {
    return this.#open.get(kind) ?? 0;
  }
}
