import assert from "node:assert/strict";
import { test } from "node:test";
import {
  isOver,
  normalQuantile,
  wilsonLowerBound,
} from "../../../../hosts/fleet/rollout/wilson.ts";

test("knows the quantiles of the tables", () => {
  for (const [probability, z] of [
    [0.5, 0],
    [0.9, 1.2815515655446],
    [0.95, 1.644853626951472],
    [0.99, 2.326347874040841],
    [0.9999, 3.719016485455709],
  ] as const)
    assert.ok(Math.abs(normalQuantile(probability) - z) < 1e-12, `${probability}`);
});

test("gives the one-sided lower bound of Wilson's interval", () => {
  const near = (bad: number, sample: number, bound: number): void => {
    const found = wilsonLowerBound(bad, sample, 0.95);
    assert.ok(Math.abs(found - bound) < 5e-4, `${bad} of ${sample}: ${found}`);
  };
  near(9, 10, 0.6525);
  near(9, 41, 0.1327);
  near(1, 3, 0.0787);
  near(50, 1000, 0.0399);
  assert.equal(wilsonLowerBound(0, 1000, 0.95), 0);
  assert.equal(wilsonLowerBound(0, 0, 0.95), 0);
});

test("lies below the share, rises with the bad ones and with the sample, falls with the confidence", () => {
  for (const sample of [3, 10, 100, 10_000])
    for (let bad = 1; bad < sample; bad = bad * 2 + 1) {
      const bound = wilsonLowerBound(bad, sample, 0.95);
      assert.ok(bound > 0 && bound < bad / sample);
      assert.ok(wilsonLowerBound(bad + 1, sample, 0.95) > bound);
      assert.ok(wilsonLowerBound(bad * 4, sample * 4, 0.95) > bound);
      assert.ok(wilsonLowerBound(bad, sample, 0.99) < bound);
    }
});

test("judges nine of the first ten at once, one bad device never", () => {
  assert.equal(isOver(9, 10, 0.05, 0.95), true);
  assert.equal(isOver(2, 10, 0.05, 0.95), true);
  assert.equal(isOver(1, 3, 0.05, 0.95), false);
  assert.equal(isOver(1, 1, 0.05, 0.95), false);
  assert.equal(isOver(6, 100, 0.05, 0.95), false);
  assert.equal(isOver(10, 100, 0.05, 0.95), true);
});
