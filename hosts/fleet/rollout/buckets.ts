import { hash } from "node:crypto";

/** Buckets are the integers below this, so that each is exact in a double and in SQLite. */
export const bucketsCount = 2 ** 48;

/**
 * Where a device falls in a rollout: uniform, the same on every node and for ever, and different in
 * every rollout, so that the same device is not always among the first.
 */
export function bucketOf(salt: string, deviceId: string): number {
  return Number.parseInt(hash("sha256", `${salt}\n${deviceId}`, "hex").slice(0, 12), 16);
}

/** The parts of the hash space: each holds few of the buckets of even the largest fleet. */
const binsCount = 4096;
const bucketsPerBin = bucketsCount / binsCount;
/** Handled before the others have their turn. */
const sortedAtOnce = 8192;

/**
 * Sorts buckets ascending, a part at a time, with `leaveTurn` in between: by their bin, of which
 * each holds about as many, since buckets are uniform.
 */
export async function sortBuckets(
  buckets: readonly number[],
  leaveTurn: () => Promise<void>,
): Promise<Float64Array> {
  const ends = new Uint32Array(binsCount);
  const sorted = new Float64Array(buckets.length);
  const binOf = (bucket: number): number => Math.floor(bucket / bucketsPerBin);
  const eachInTurns = async (work: (bucket: number) => void): Promise<void> => {
    for (let index = 0; index < buckets.length; index += 1) {
      work(buckets[index] ?? 0);
      if (index % sortedAtOnce === 0) await leaveTurn();
    }
  };
  await eachInTurns((bucket) => {
    const bin = binOf(bucket);
    ends[bin] = (ends[bin] ?? 0) + 1;
  });
  for (let bin = 1; bin < binsCount; bin += 1) ends[bin] = (ends[bin] ?? 0) + (ends[bin - 1] ?? 0);
  const next = ends.slice();
  await eachInTurns((bucket) => {
    const bin = binOf(bucket);
    const at = (next[bin] ?? 0) - 1;
    next[bin] = at;
    sorted[at] = bucket;
  });
  for (let bin = 0; bin < binsCount; bin += 1) {
    sorted.subarray(next[bin], ends[bin]).sort();
    if (bin % 16 === 0) await leaveTurn();
  }
  return sorted;
}

export interface StageShare {
  /**
   * Cumulative: how many of the eligible devices this stage and those before it hold, in percent.
   */
  readonly percent: number;
}

/**
 * How many devices the stages hold, cumulative: `ceil(percent * eligible / 100)`, at least one in
 * the first stage, never fewer than the stage before.
 */
export function cumulativeSizes(stages: readonly StageShare[], eligible: number): number[] {
  let previous = 0;
  return stages.map(({ percent }) => {
    // The subtrahend keeps 0.57 * 100 from becoming 58 through its rounding error.
    const wanted = Math.max(1, Math.ceil((percent * eligible) / 100 - 1e-9));
    previous = Math.min(eligible, Math.max(previous, wanted));
    return previous;
  });
}

/**
 * The highest bucket of each stage: a device belongs to the first stage whose cutoff its bucket
 * does not pass. A stage of 100 percent takes every bucket, so that devices which arrive later find
 * a stage.
 * `sortedBuckets` are those of the eligible devices, ascending.
 */
export function stageCutoffs(
  stages: readonly StageShare[],
  sortedBuckets: ArrayLike<number>,
): number[] {
  const sizes = cumulativeSizes(stages, sortedBuckets.length);
  return stages.map(({ percent }, index) => {
    if (percent >= 100) return bucketsCount - 1;
    const size = sizes[index] ?? 0;
    return size === 0 ? -1 : (sortedBuckets[size - 1] ?? -1);
  });
}

/**
 * The same for devices that come later: a stage holds its share of the hash space, whatever part of
 * it the few devices took for which the rollout was planned.
 */
export function shareCutoffs(stages: readonly StageShare[]): number[] {
  return stages.map(({ percent }) => Math.floor((bucketsCount * percent) / 100) - 1);
}

/**
 * The stage of a bucket, or null when the stages together hold less than the whole fleet and it is
 * beyond them.
 */
export function stageOf(bucket: number, cutoffs: readonly number[]): number | null {
  const stage = cutoffs.findIndex((cutoff) => bucket <= cutoff);
  return stage < 0 ? null : stage;
}
