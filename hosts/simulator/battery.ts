/** What a simulated device has for power: the raw reading of its divider and whether it charges. */
export interface Battery {
  /** 0 to 100. */
  percentAt(nowMs: number): number;
  chargingAt(nowMs: number): boolean;
}

/** What the analog pin reads for an empty and a full battery, 12 bits. */
export const batteryRaw = { pin: 0, emptyRaw: 2000, fullRaw: 3000 } as const;

/** Stays at its charge until somebody plugs the charger in; from then on it fills. */
export class PluggableBattery implements Battery {
  readonly #percent: number;
  readonly #percentPerHour: number;
  #pluggedInMs: number | null = null;

  constructor(percent: number, percentPerHour: number) {
    this.#percent = percent;
    this.#percentPerHour = percentPerHour;
  }

  plugIn(nowMs: number): void {
    this.#pluggedInMs ??= nowMs;
  }

  percentAt(nowMs: number): number {
    if (this.#pluggedInMs === null) return this.#percent;
    const hours = Math.max(0, nowMs - this.#pluggedInMs) / 3_600_000;
    return Math.min(100, this.#percent + hours * this.#percentPerHour);
  }

  chargingAt(nowMs: number): boolean {
    return this.#pluggedInMs !== null && nowMs >= this.#pluggedInMs;
  }
}
