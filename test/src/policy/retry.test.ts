import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backoffMs, jitteredMs } from "../../../src/policy/retry.ts";
import { fixedRandom } from "../../support/plain-ports.ts";

const backoff = { firstMs: 1000, capMs: 60_000 };
const almostOne = fixedRandom(1 - Number.EPSILON);

for (const [failures, ceilingMs] of [
  [0, 1000],
  [1, 1000],
  [2, 2000],
  [3, 4000],
  [6, 32_000],
  [7, 60_000],
  [1000, 60_000],
] as const)
  test(`waits up to ${ceilingMs} ms after ${failures} failures`, () => {
    assert.equal(backoffMs(failures, backoff, almostOne), ceilingMs);
    assert.equal(backoffMs(failures, backoff, fixedRandom(0.5)), ceilingMs / 2);
  });

test("never waits for nothing: a draw of 0 is 1 ms", () => {
  assert.equal(backoffMs(1, backoff, fixedRandom(0)), 1);
});

const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

test("stays within its cap, in whole milliseconds, whatever is drawn", () => {
  fc.assert(
    fc.property(fc.nat({ max: 10_000 }), draw, (failures, value) => {
      const waitMs = backoffMs(failures, backoff, fixedRandom(value));
      assert.ok(Number.isInteger(waitMs) && waitMs >= 1 && waitMs <= backoff.capMs);
    }),
  );
});

test("spreads an interval by a tenth to either side", () => {
  assert.equal(jitteredMs(300_000, fixedRandom(0)), 270_000);
  assert.equal(jitteredMs(300_000, fixedRandom(0.5)), 300_000);
  fc.assert(
    fc.property(fc.integer({ min: 1000, max: 604_800_000 }), draw, (intervalMs, value) => {
      const waitMs = jitteredMs(intervalMs, fixedRandom(value));
      assert.ok(waitMs >= 0.9 * intervalMs - 1 && waitMs <= 1.1 * intervalMs + 1);
    }),
  );
});
