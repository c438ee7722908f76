import assert from "node:assert/strict";
import { test } from "node:test";
import { readOptions } from "../../../hosts/power-cuts/options.ts";
import {
  everySingle,
  formatCase,
  parseCase,
  samplePairs,
  sampleSingles,
} from "../../../hosts/power-cuts/plan.ts";
import { historyKinds } from "../../../hosts/power-cuts/proof.ts";

const counts = historyKinds.map((_, index) => 10 + index);
const total = counts.reduce((sum, count) => sum + count, 0);

test("cuts every operation of every history in three ways, none twice", () => {
  const names = [...everySingle(counts)].map(formatCase);
  assert.equal(names.length, 3 * total);
  assert.equal(new Set(names).size, names.length);
});

test("draws the same sample from the same seed, and another one from another", () => {
  const draw = (seed: number): string[] => samplePairs(counts, seed, 20).map(formatCase);
  assert.deepEqual(draw(4), draw(4));
  assert.notDeepEqual(draw(4), draw(5));
});

test("draws pairs whose second cut comes after the first", () => {
  for (const { kind, cuts } of samplePairs(counts, 1, 500)) {
    const [first, second] = cuts;
    assert.ok(first !== undefined && second !== undefined);
    assert.ok(first.operation < counts[historyKinds.indexOf(kind)]!);
    assert.ok(second.operation > first.operation);
  }
});

test("draws single cuts without repeats, and all of them when asked for more", () => {
  const names = sampleSingles(counts, 9, 100_000).map(formatCase);
  assert.deepEqual(names.toSorted(), [...everySingle(counts)].map(formatCase).toSorted());
});

test("reads back the name of every case", () => {
  for (const planned of [...everySingle(counts), ...samplePairs(counts, 2, 50)])
    assert.deepEqual(parseCase(formatCase(planned)), planned);
  assert.equal(
    formatCase(parseCase("rollback-crash/raised:15clean+9bits")!),
    "rollback-crash/raised:15clean+9bits",
  );
});

for (const text of [
  "",
  "update:1clean",
  "update/equal:x",
  "update/equal:1melt",
  "sideways/equal:1clean",
])
  test(`takes "${text}" for no case`, () => {
    assert.equal(parseCase(text), null);
  });

test("refuses options that it does not know, with the value and what may stand there", () => {
  for (const [argv, says] of [
    [["--layout", "large"], /--layout is "large", must be small or esp32-4m/],
    [["--seed", "-1"], /seed/],
    [["--sample", "many"], /--sample is "many"/],
    [["--replay", "now"], /--replay is "now"/],
    [["--fast"], /--fast/],
  ] as const) {
    const read = readOptions(argv);
    assert.ok(typeof read === "string");
    assert.match(read, says);
  }
});

test("takes small, seed 1 and 500 pairs when nothing is said", () => {
  assert.deepEqual(readOptions([]), {
    layout: "small",
    seed: 1,
    sample: 500,
    dumpFolder: null,
    json: false,
    replay: null,
  });
});
