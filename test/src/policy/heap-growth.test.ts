import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type HeapRule, readHeap } from "../../../src/policy/heap-growth.ts";
import type { HeapRecord } from "../../../src/policy/stability-history.ts";

const rule: HeapRule = {
  periodMs: 600_000,
  periods: 3,
  growthBytesMin: 3000,
  exhaustionMs: 24 * 3600_000,
};
const limitBytes = 100_000;

/** One reading a minute; answers what was said of a leak, if anything. */
function leakIn(usedBytes: (minute: number) => number, minutes: number): string | null {
  let heap: HeapRecord | null = null;
  for (let minute = 0; minute < minutes; minute += 1) {
    const read = readHeap(heap, { usedBytes: usedBytes(minute), limitBytes }, minute * 60, rule);
    heap = read.heap;
    if (read.leak !== null) return read.leak;
  }
  return null;
}

test("says from what to what a leak grew and when the memory is full", () => {
  const leak = leakIn((minute) => 40_000 + 200 * minute, 51);
  assert.equal(leak, "heap grew from 42000 to 48000 B in 0.5 h, 100000 B are full in 4.3 h");
});

test("needs the first period to warm up and four whole ones to compare", () => {
  assert.equal(
    leakIn((minute) => 40_000 + 200 * minute, 50),
    null,
  );
});

test("garbage that comes and goes is no growth", () => {
  assert.equal(
    leakIn((minute) => 40_000 + 3000 * (minute % 9), 600),
    null,
  );
});

test("a leak shows through garbage", () => {
  assert.notEqual(
    leakIn((minute) => 40_000 + 200 * minute + 3000 * (minute % 9), 60),
    null,
  );
});

test("growth that stops, that is small, or that would take too long is no leak", () => {
  for (const [name, used] of [
    ["a cache that fills once", (minute: number) => 40_000 + Math.min(minute, 25) * 500],
    ["2,700 B in three periods", (minute: number) => 40_000 + 90 * minute],
    ["one period that does not rise", (minute: number) => 40_000 + 2000 * Math.floor(minute / 20)],
  ] as const)
    assert.equal(leakIn(used, 300), null, name);
  const slow = { ...rule, growthBytesMin: 1, exhaustionMs: 3600_000 };
  let heap: HeapRecord | null = null;
  for (let minute = 0; minute < 300; minute += 1) {
    const reading = { usedBytes: 40_000 + 100 * minute, limitBytes };
    const read = readHeap(heap, reading, minute * 60, slow);
    heap = read.heap;
    assert.ok(read.leak === null || reading.usedBytes > limitBytes - 6 * 1000 - 2000);
  }
});

test("a rule that is off and a reading that is no number change nothing", () => {
  const reading = { usedBytes: 1, limitBytes };
  assert.deepEqual(readHeap(null, reading, 0, null), { heap: null, leak: null });
  const { heap } = readHeap(null, reading, 0, rule);
  assert.deepEqual(readHeap(heap, { ...reading, usedBytes: Number.NaN }, 900, rule), {
    heap,
    leak: null,
  });
});

test("a heap that never rises by the least growth is never called a leak, and the record stays small", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(2000), fc.nat(2999)), { maxLength: 100 }), (readings) => {
      let heap: HeapRecord | null = null;
      let nowSeconds = 0;
      for (const [passedSeconds, usedBytes] of readings) {
        nowSeconds += passedSeconds;
        const read = readHeap(heap, { usedBytes, limitBytes }, nowSeconds, rule);
        heap = read.heap;
        assert.equal(read.leak, null);
        assert.ok((heap?.lowsBytes.length ?? 0) <= rule.periods + 1);
      }
    }),
  );
});
