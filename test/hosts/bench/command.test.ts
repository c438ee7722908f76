import assert from "node:assert/strict";
import { test } from "node:test";
import { aboutAtMost, atMost, type Benchmark } from "../../../hosts/bench/benchmark.ts";
import { runBenchmarks } from "../../../hosts/bench/command.ts";

const fine: Benchmark = {
  name: "fine",
  about: "meets its target",
  run: async () => [{ what: "writes", value: 3, target: atMost(3) }],
};
const worn: Benchmark = {
  name: "worn",
  about: "misses its target",
  run: async () => [{ what: "erases", value: 3.5, target: atMost(3) }],
};
const slow: Benchmark = {
  name: "slow",
  about: "is slow on this machine",
  run: async () => [{ what: "seconds", value: 9, target: aboutAtMost(1) }],
};
const absent: Benchmark = {
  name: "absent",
  about: "needs what is not here",
  missing: () => "no such tool",
  run: () => Promise.reject(new Error("must not run")),
};

async function run(argv: string[], known: Benchmark[]): Promise<{ outcome: string; text: string }> {
  const lines: string[] = [];
  const outcome = await runBenchmarks(argv, (line) => lines.push(line), known);
  return { outcome, text: lines.join("\n") };
}

test("names the machine and the versions before any number", async () => {
  const { text } = await run([], [fine]);
  assert.match(text, /^machine: .*\d+ cores.*\nversions: sluice [\d.]+, node v/);
  assert.match(text, /writes: 3 \(at most 3: met\)/);
});

test("fails a check for a target that holds on every machine, and for no other", async () => {
  assert.equal((await run(["--check"], [fine])).outcome, "met");
  assert.equal((await run(["--check"], [slow])).outcome, "met");
  const { outcome, text } = await run(["--check"], [fine, worn]);
  assert.equal(outcome, "missed");
  assert.match(text, /erases: 3\.5000 \(at most 3: MISSED\)/);
});

test("without --check a missed target is told and nothing fails", async () => {
  const { outcome, text } = await run([], [worn]);
  assert.equal(outcome, "met");
  assert.match(text, /1 targets missed/);
});

test("runs what is named and nothing else, and says why something is skipped", async () => {
  const { text } = await run(["absent"], [fine, absent]);
  assert.doesNotMatch(text, /writes/);
  assert.match(text, /skipped: no such tool/);
  assert.equal((await run(["unheard-of"], [fine])).outcome, "usage");
});
