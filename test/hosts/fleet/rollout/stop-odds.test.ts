import assert from "node:assert/strict";
import { test } from "node:test";
import { rolloutOdds, type StopRule } from "../../../../hosts/fleet/rollout/stop-odds.ts";
import { isOver } from "../../../../hosts/fleet/rollout/wilson.ts";

const rule: StopRule = { limit: 0.05, confidence: 0.95, sampleMin: 1 };

function stopsAt(
  bad: number,
  ended: number,
  size: number,
  { limit, confidence, sampleMin }: StopRule,
) {
  return bad === size || (ended >= sampleMin && isOver(bad, ended, limit, confidence));
}

/** Every order in which the devices of a stage can end. */
function byForce(size: number, wanted: StopRule, defectRate: number) {
  let [stop, hurt] = [0, 0];
  const walk = (ended: number, bad: number, odds: number): void => {
    const isStopped = ended > 0 && stopsAt(bad, ended, size, wanted);
    if (isStopped) stop += odds;
    if (isStopped || ended === size) hurt += odds * bad;
    else {
      walk(ended + 1, bad + 1, odds * defectRate);
      walk(ended + 1, bad, odds * (1 - defectRate));
    }
  };
  walk(0, 0, 1);
  return { stop, hurt };
}

function near(actual: number, expected: number, by: number, what: string): void {
  assert.ok(Math.abs(actual - expected) <= by, `${what}: ${actual}, expected ${expected}`);
}

test("a stage stops as often, and hurts as many, as all orders of its devices together", () => {
  for (const size of [1, 2, 3, 7, 14])
    for (const defectRate of [0, 0.01, 0.2, 0.6, 1])
      for (const wanted of [rule, { ...rule, limit: 0.3 }, { ...rule, sampleMin: 5 }]) {
        const odds = rolloutOdds([size], wanted, defectRate);
        const expected = byForce(size, wanted, defectRate);
        const what = `${size} devices, ${defectRate}, ${JSON.stringify(wanted)}`;
        near(odds.stop, expected.stop, 1e-9, what);
        near(odds.hurtOneByOne, expected.hurt, 1e-9, what);
        near(odds.hurtAtOnce, size * defectRate, 1e-9, what);
      }
});

test("later stages count as far as the rollout comes", () => {
  const [first, second] = [rolloutOdds([10], rule, 0.1), rolloutOdds([40], rule, 0.1)];
  const both = rolloutOdds([10, 40], rule, 0.1);
  near(both.stop, 1 - (1 - first.stop) * (1 - second.stop), 1e-12, "stop");
  near(
    both.hurtOneByOne,
    first.hurtOneByOne + (1 - first.stop) * second.hurtOneByOne,
    1e-9,
    "hurt",
  );
  assert.deepEqual(both.stages, [...first.stages, ...second.stages]);
});

/** mulberry32 */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

test("says what 400 rollouts of 1,000 devices come to", () => {
  const sizes = [10, 90, 400, 500];
  for (const defectRate of [0.02, 0.1]) {
    const random = randomOf(7);
    let [stops, hurt] = [0, 0];
    const runs = 400;
    for (let run = 0; run < runs; run += 1) {
      let isStopped = false;
      for (const size of sizes) {
        let bad = 0;
        for (let ended = 1; ended <= size && !isStopped; ended += 1) {
          if (random() < defectRate) {
            bad += 1;
            hurt += 1;
          }
          isStopped = bad > 0 && stopsAt(bad, ended, size, rule);
        }
        if (isStopped) break;
      }
      if (isStopped) stops += 1;
    }
    const odds = rolloutOdds(sizes, rule, defectRate);
    near(odds.stop, stops / runs, 0.06, `${defectRate} stops`);
    near(odds.hurtOneByOne / (hurt / runs), 1, 0.12, `${defectRate} hurt`);
  }
});

test("a large stage is judged to its end, and at once", () => {
  const startMs = process.cpuUsage().user;
  const sizes = [10_000, 90_000, 400_000, 500_000];
  assert.ok(rolloutOdds(sizes, rule, 0.02).stop < 0.2);
  assert.ok(rolloutOdds(sizes, rule, 0.06).stop > 0.999, "a little over the limit");
  const all = rolloutOdds(sizes, rule, 0.2);
  assert.ok(all.stop > 0.999999 && all.hurtOneByOne < 10, `${all.hurtOneByOne}`);
  assert.equal(Math.round(all.stages[3]?.hurtAtOnce ?? 0), 100_000);
  assert.ok(process.cpuUsage().user - startMs < 5e6, "seconds of the processor");
});

test("a rule that allows every share stops nothing", () => {
  const odds = rolloutOdds([5, 5], { ...rule, limit: 1 }, 1);
  assert.deepEqual([odds.stop, odds.hurtOneByOne], [0, 10]);
});
