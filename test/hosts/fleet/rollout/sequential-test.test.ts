import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addEvents,
  addValue,
  differenceEvidence,
  differenceOf,
  logMean,
  noEventEvidence,
  type ValueSums,
} from "../../../../hosts/fleet/rollout/sequential-test.ts";

const cell = (updated: readonly [number, number], waiting: readonly [number, number]) => ({
  updated: { hoursAtRisk: updated[0], firstEvents: updated[1] },
  waiting: { hoursAtRisk: waiting[0], firstEvents: waiting[1] },
});

function near(found: number, wanted: number, share: number): void {
  assert.ok(Math.abs(found - wanted) <= share * Math.abs(wanted), `${found}, not ${wanted}`);
}

test("gives the evidence of the worked example in docs/rollouts.md", () => {
  const evidence = noEventEvidence();
  addEvents(evidence, cell([2400, 6], [21_600, 2]));
  const told = evidence.map((log) => Number(Math.exp(log).toPrecision(3)));
  assert.deepEqual(told, [29.9, 502, 3760, 11_000, 13_400]);
  near(Math.exp(logMean(evidence)), 5750, 0.005);
});

test("the evidence of events is 1 on average when the groups are alike, however they share the hours", () => {
  for (const share of [0.01, 0.1, 0.5, 0.95])
    for (const events of [1, 2, 7]) {
      let [average, chance] = [0, (1 - share) ** events];
      for (let updated = 0; updated <= events; updated += 1) {
        const evidence = noEventEvidence();
        addEvents(evidence, cell([100 * share, updated], [100 * (1 - share), events - updated]));
        average += chance * Math.exp(logMean(evidence));
        chance *= ((events - updated) / (updated + 1)) * (share / (1 - share));
      }
      near(average, 1, 1e-9);
    }
});

test("hours in which nobody of a group was at risk tell nothing", () => {
  const evidence = noEventEvidence();
  addEvents(evidence, cell([0, 0], [100, 5]));
  addEvents(evidence, cell([100, 5], [0, 0]));
  assert.deepEqual(evidence, noEventEvidence());
});

test("the evidence of a difference is the likelihood ratio, averaged over the half normal mixture", () => {
  for (const mean of [-12, -3, -0.5, 0, 0.4, 2, 3.5])
    for (const variance of [0.05, 1, 4])
      for (const scale of [0.2, 1, 3]) {
        let average = 0;
        const step = Math.min(scale / 2000, variance / (40 * Math.abs(mean) + 1));
        for (let effect = step / 2; effect < 12 * scale; effect += step) {
          const weight = (2 * Math.exp(-(effect ** 2) / (2 * scale ** 2))) / Math.sqrt(2 * Math.PI);
          const ratio = Math.exp((effect * mean) / variance - effect ** 2 / (2 * variance));
          average += (step / scale) * weight * ratio;
        }
        near(Math.exp(differenceEvidence({ mean, variance }, scale)), average, 5e-3);
      }
});

const noSums = (): ValueSums => ({
  devices: 0,
  weights: 0,
  squaredWeights: 0,
  values: 0,
  scaledValues: 0,
  squaredValues: 0,
});

function sumsOf(values: readonly number[]): ValueSums {
  const sums = noSums();
  for (const value of values) addValue(sums, value, 0.5, 1);
  return sums;
}

test("takes a device out as it was put in, and so has one value of each", () => {
  const sums = sumsOf([1, 2, 3]);
  addValue(sums, 7, 0.25, 1);
  addValue(sums, 7, 0.25, -1);
  assert.deepEqual(sums, sumsOf([1, 2, 3]));
});

test("compares within kinds: what kinds differ by is no difference between the groups", () => {
  const spread = Array.from({ length: 40 }, (_, index) => (index % 10) / 10);
  const few = spread.slice(0, 20);
  const at = (level: number, values: readonly number[]) => sumsOf(values.map((v) => level + v));
  const difference = differenceOf({
    thirsty: { updated: at(100, spread), waiting: at(100, few) },
    frugal: { updated: at(1, few), waiting: at(1, spread) },
  });
  near(1 + (difference?.mean ?? Number.NaN), 1, 1e-9);
  assert.ok((difference?.variance ?? 1) < 0.02);
});

test("a group without any event claims no more certainty than both together", () => {
  const none = sumsOf(Array.from({ length: 20 }, () => 0));
  const some = sumsOf(Array.from({ length: 200 }, (_, index) => (index % 20 === 0 ? 1 : 0)));
  const difference = differenceOf({ kind: { updated: some, waiting: none } });
  // Of 220 devices ten had one: p (1 - p) / 20 from the group that had none.
  near(difference?.variance ?? 0, 0.0434 / 20 + 0.0475 / 200, 0.02);
});

test("says nothing of fewer than ten devices in a group", () => {
  const nine = sumsOf([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  const many = sumsOf(Array.from({ length: 100 }, (_, index) => index % 7));
  assert.equal(differenceOf({ kind: { updated: nine, waiting: many } }), null);
  assert.equal(differenceOf({ kind: { updated: many, waiting: nine } }), null);
  assert.equal(differenceOf({}), null);
});
