/** Fewer readings say nothing: a third of them is what the others are held against. */
export const readingsMin = 12;

/** What readings of one thing, oldest first, tell of its growth. */
export interface Growth {
  /** The most in the first third. */
  readonly firstMost: number;
  /** Of the last third, the one in the middle. */
  readonly lastMiddle: number;
  readonly grownBytes: number;
}

/**
 * Chance raises a single reading, a leak raises all of them: what is usual at the end is held
 * against the most of the beginning. Of a leak of so many bytes each time, half of the readings'
 * number times that shows.
 */
export function growthOf(readings: readonly number[]): Growth {
  if (readings.length < readingsMin)
    throw new RangeError(`${readings.length} readings: growth shows in ${readingsMin} or more`);
  const third = Math.floor(readings.length / 3);
  const firstMost = Math.max(...readings.slice(0, third));
  const last = readings.slice(-third).toSorted((one, other) => one - other);
  const lastMiddle = last[Math.floor(third / 2)] ?? 0;
  return { firstMost, lastMiddle, grownBytes: lastMiddle - firstMost };
}
