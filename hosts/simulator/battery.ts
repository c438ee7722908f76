/** The battery of a simulated device over time. */
export interface Battery {
  /** 0 to 100. */
  percentAt(nowMs: number): number;
  chargingAt(nowMs: number): boolean;
}

/** What the analog pin reads for an empty and a full battery, 12 bits. */
export const batteryRaw = { pin: 0, emptyRaw: 2000, fullRaw: 3000 } as const;

/** Stays at one charge until the charger is plugged in; from then on it fills at `percentPerHour`. */
export function batteryChargedFrom(options: {
  readonly percent: number;
  readonly pluggedInMs: number;
  readonly percentPerHour: number;
}): Battery {
  return {
    percentAt(nowMs) {
      const hours = Math.max(0, nowMs - options.pluggedInMs) / 3_600_000;
      return Math.min(100, options.percent + hours * options.percentPerHour);
    },
    chargingAt: (nowMs) => nowMs >= options.pluggedInMs,
  };
}
