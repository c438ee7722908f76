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

/** How much of the devices a stage and those before it hold together. */
export interface StageSize {
  readonly percent?: number;
  readonly count?: number;
  /** All of a group that pass its filter, whatever their bucket. */
  readonly group?: string;
  readonly filter?: string;
}

/**
 * How many of the devices a stage holds, those before it included: `ceil(percent * eligible /
 * 100)`, at least one.
 */
function wantedSize({ percent = 100, count }: StageSize, eligible: number): number {
  // The subtrahend keeps 0.57 * 100 from becoming 58 through its rounding error.
  return Math.max(1, count ?? Math.ceil((percent * eligible) / 100 - 1e-9));
}

/**
 * How many devices the stages hold, cumulative; never fewer than the stage before. Of stages
 * without filters and groups.
 */
export function cumulativeSizes(stages: readonly StageSize[], eligible: number): number[] {
  let previous = 0;
  return stages.map((stage) => {
    previous = Math.min(eligible, Math.max(previous, wantedSize(stage, eligible)));
    return previous;
  });
}

/**
 * The highest bucket of each stage: a device belongs to the first stage whose filter it passes and
 * whose cutoff its bucket does not. A stage of 100 percent takes every bucket, so that devices
 * which arrive later find a stage.
 * `sortedBuckets` are those of the eligible devices that pass the filter of the stage, ascending.
 */
export function stageCutoffs(
  stages: readonly StageSize[],
  sortedBuckets: (stage: number) => ArrayLike<number>,
): number[] {
  let previous = 0;
  return stages.map((stage, index) => {
    if (takesEveryBucket(stage)) return bucketsCount - 1;
    const buckets = sortedBuckets(index);
    const isPart = stage.filter !== undefined;
    const wanted = wantedSize(stage, buckets.length);
    const size = Math.min(buckets.length, isPart ? wanted : Math.max(previous, wanted));
    if (!isPart) previous = size;
    return size === 0 ? -1 : (buckets[size - 1] ?? -1);
  });
}

function takesEveryBucket({ percent, group }: StageSize): boolean {
  return group !== undefined || (percent !== undefined && percent >= 100);
}

/**
 * The same for devices that come later: a stage holds its share of the hash space, whatever part of
 * it the few devices took for which the rollout was planned; one of a number of devices goes by the
 * cutoff that it was planned with.
 */
export function shareCutoffs(
  stages: readonly StageSize[],
  plannedCutoffs: readonly number[],
): number[] {
  return stages.map((stage, index) => {
    if (takesEveryBucket(stage)) return bucketsCount - 1;
    const { percent } = stage;
    return percent === undefined
      ? (plannedCutoffs[index] ?? -1)
      : Math.floor((bucketsCount * percent) / 100) - 1;
  });
}

/**
 * The stage of a bucket, or null when the stages together hold less than the whole fleet and it is
 * beyond them.
 */
export function stageOf(
  bucket: number,
  cutoffs: readonly number[],
  passes: (stage: number) => boolean = () => true,
): number | null {
  const stage = cutoffs.findIndex((cutoff, index) => bucket <= cutoff && passes(index));
  return stage < 0 ? null : stage;
}

/** The last stage that takes a device in, or null: there waits who came after the plan. */
export function lastStageOf(
  bucket: number,
  cutoffs: readonly number[],
  passes: (stage: number) => boolean,
): number | null {
  const stage = cutoffs.findLastIndex((cutoff, index) => bucket <= cutoff && passes(index));
  return stage < 0 ? null : stage;
}
