/** What the whole server, or one region, may do at a time; null for as much as comes. */
export interface AdmissionLimits {
  readonly offersPerMinute: number | null;
  /** Devices that take in a file at once. */
  readonly downloads: number | null;
  /** What goes out of all files together. */
  readonly bytesPerSecond: number | null;
}

/** The limits of the whole server stand under this name; no region has it. */
export const wholeServer = "";

export const unlimited: AdmissionLimits = {
  offersPerMinute: null,
  downloads: null,
  bytesPerSecond: null,
};

export const admissionBounds = {
  offersPerMinuteMax: 1_000_000,
  downloadsMax: 1_000_000,
  bytesPerSecondMin: 8192,
  bytesPerSecondMax: 1_000_000_000_000,
  regionsMax: 1000,
} as const;

/** Slower than this, clients take a server for dead: fewer download at once instead. */
const bytesPerSecondEachMin = 8192;

/** Devices that may download at once, by their number and by what is left for each. */
export function downloadsMax({ downloads, bytesPerSecond }: AdmissionLimits): number | null {
  if (bytesPerSecond === null) return downloads;
  const fed = Math.max(1, Math.floor(bytesPerSecond / bytesPerSecondEachMin));
  return Math.min(downloads ?? fed, fed);
}
