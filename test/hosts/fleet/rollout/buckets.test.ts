import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  bucketOf,
  bucketsCount,
  cumulativeSizes,
  sortBuckets,
  stageCutoffs,
  stageOf,
} from "../../../../hosts/fleet/rollout/buckets.ts";

const percents = (...values: number[]) => values.map((percent) => ({ percent }));
const risingPercents = fc
  .uniqueArray(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 6 })
  .map((tenths) => percents(...tenths.sort((a, b) => a - b).map((tenth) => tenth / 10)));

test("gives a device the same bucket for ever", () => {
  assert.equal(bucketOf("rollout-1", "device-1"), 276389226551157);
  assert.notEqual(bucketOf("rollout-2", "device-1"), bucketOf("rollout-1", "device-1"));
});

test("rounds the size of a stage up, to at least one device", () => {
  const cases: ReadonlyArray<readonly [readonly number[], number, readonly number[]]> = [
    [[1, 10, 50, 100], 1000, [10, 100, 500, 1000]],
    [[1, 10, 50, 100], 25, [1, 3, 13, 25]],
    [[1, 10, 50, 100], 3, [1, 1, 2, 3]],
    [[1, 10, 50, 100], 1, [1, 1, 1, 1]],
    [[0.1, 100], 1_000_000, [1000, 1_000_000]],
    [[57, 100], 100, [57, 100]],
    [[50], 7, [4]],
    [[50, 100], 0, [0, 0]],
  ];
  for (const [stages, eligible, sizes] of cases)
    assert.deepEqual(cumulativeSizes(percents(...stages), eligible), sizes);
});

test("puts exactly the devices with the lowest buckets into a stage", () => {
  fc.assert(
    fc.property(
      risingPercents,
      fc.uniqueArray(fc.integer({ min: 0, max: bucketsCount - 1 }), { maxLength: 200 }),
      (stages, buckets) => {
        const sorted = Float64Array.from(buckets).sort();
        const cutoffs = stageCutoffs(stages, () => sorted);
        const sizes = cumulativeSizes(stages, buckets.length);
        for (const [stage, size] of sizes.entries()) {
          const inside = buckets.filter((bucket) => {
            const found = stageOf(bucket, cutoffs);
            return found !== null && found <= stage;
          });
          assert.equal(inside.length, stages[stage]?.percent === 100 ? buckets.length : size);
        }
      },
    ),
  );
});

test("only ever adds devices when the percent rises", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 100 }),
      fc.integer({ min: 1, max: 99 }),
      fc.integer({ min: 1, max: 100 }),
      (ids, low, more) => {
        const buckets = ids.map((id) => bucketOf("rollout-7", id));
        const sorted = Float64Array.from(buckets).sort();
        const chosen = (percent: number): Set<number> => {
          const cutoffs = stageCutoffs(percents(percent), () => sorted);
          return new Set(buckets.filter((bucket) => stageOf(bucket, cutoffs) === 0));
        };
        const high = Math.min(100, low + more);
        const wider = chosen(high);
        for (const bucket of chosen(low)) assert.ok(wider.has(bucket));
      },
    ),
  );
});

test("has a stage for a device that comes later, unless the rollout ends before 100 percent", () => {
  const sorted = Float64Array.of(10, 20, 30, 40);
  assert.equal(
    stageOf(
      bucketsCount - 1,
      stageCutoffs(percents(50, 100), () => sorted),
    ),
    1,
  );
  assert.equal(
    stageOf(
      15,
      stageCutoffs(percents(50, 100), () => sorted),
    ),
    0,
  );
  assert.equal(
    stageOf(
      bucketsCount - 1,
      stageCutoffs(percents(50), () => sorted),
    ),
    null,
  );
});

test("spreads devices evenly over the buckets", () => {
  const halves = [0, 0];
  for (let index = 0; index < 2000; index++)
    halves[bucketOf("rollout-1", `device-${index}`) < bucketsCount / 2 ? 0 : 1]! += 1;
  assert.ok(halves.every((count) => count > 900));
});

test("sorts buckets a part at a time as they are sorted at once", async () => {
  let turns = 0;
  const leaveTurn = async (): Promise<void> => {
    turns += 1;
  };
  for (const count of [0, 1, 2, 30_000]) {
    const buckets = Array.from({ length: count }, (_, index) =>
      bucketOf("salt", `d${index % 29_000}`),
    );
    buckets.push(0, bucketsCount - 1);
    const sorted = await sortBuckets(buckets, leaveTurn);
    assert.deepEqual(sorted, Float64Array.from(buckets).sort());
  }
  assert.ok(turns > 100);
});
