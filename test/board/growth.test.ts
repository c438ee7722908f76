import assert from "node:assert/strict";
import { test } from "node:test";
import { growthOf, readingsMin } from "./growth.ts";

/** Of a board: some updates meet a worse moment than others. */
const chance = [0, 1024, 0, 528, 0, 0, 2048, 16, 0, 528, 0, 1024];
const readings = (count: number, leakBytes: number): number[] =>
  Array.from({ length: count }, (_, at) => 69_000 + leakBytes * at + (chance[at % 12] ?? 0));

test("takes what differs by chance for no growth", () => {
  for (const count of [readingsMin, 24, 200])
    assert.ok(growthOf(readings(count, 0)).grownBytes <= 0);
});

test("shows a leak of each update, over half of the updates", () => {
  assert.ok(growthOf(readings(200, 32)).grownBytes > 512);
  assert.ok(growthOf(readings(24, 256)).grownBytes > 512);
});

test("shows what grew once and stays", () => {
  const grown = readings(30, 0).map((reading, at) => (at < 15 ? reading : reading + 4096));
  assert.equal(growthOf(grown).grownBytes, 2048);
});

test("says nothing of too few readings", () => {
  assert.throws(() => growthOf(readings(readingsMin - 1, 0)), /growth shows in 12 or more/);
});
