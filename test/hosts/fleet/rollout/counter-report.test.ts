import assert from "node:assert/strict";
import { test } from "node:test";
import {
  addToCohort,
  armOf,
  type CohortSums,
  type CounterReport,
  readingsOf,
} from "../../../../hosts/fleet/rollout/counter-report.ts";

const hourMs = 3_600_000;
const report: CounterReport = {
  bootId: "b",
  sequence: 0,
  spanMs: 2 * hourMs,
  boots: {},
  crashes: 0,
  disconnects: 4,
  heartbeatsMissed: 2,
  errorLogs: 1,
  freeMemoryBytes: 50_000,
  batteryDrainPercent: 3,
  application: { stalls: 5 },
};

test("reads counts over their hours, and levels as a mean of them", () => {
  assert.deepEqual(readingsOf(report, null), {
    crashes: { hours: 2, amount: 0 },
    boots: { hours: 2, amount: 0 },
    disconnects: { hours: 2, amount: 4 },
    heartbeatsMissed: { hours: 2, amount: 2 },
    errorLogs: { hours: 2, amount: 1 },
    freeMemory: { hours: 2, amount: 100_000 },
    batteryDrain: { hours: 2, amount: 3 },
    "application.stalls": { hours: 2, amount: 5 },
  });
  const unknown = { ...report, freeMemoryBytes: null, batteryDrainPercent: null };
  assert.ok(!("freeMemory" in readingsOf(unknown, null)));
  assert.ok(!("batteryDrain" in readingsOf(unknown, null)));
});

test("takes starts over the time since the report before, of which the span is the end", () => {
  const crashed = { ...report, spanMs: 1000, boots: { exception: 1 }, crashes: 1 };
  assert.deepEqual(readingsOf(crashed, 5 * hourMs), {
    crashes: { hours: 5, amount: 1 },
    boots: { hours: 5, amount: 1 },
  });
  assert.equal(readingsOf(crashed, 1000 * hourMs)["boots"]?.hours, 24, "silence is no running");
});

test("counts no start that somebody wanted", () => {
  const boots = { software: 3, "deep-sleep": 20, watchdog: 1, "power-on": 1 };
  assert.equal(readingsOf({ ...report, boots }, null)["boots"]?.amount, 2);
});

test("a device that wakes for each report tells more than its start", () => {
  const woken = readingsOf({ ...report, boots: { "deep-sleep": 1 } }, hourMs);
  assert.equal(woken["disconnects"]?.amount, 4);
  const none = readingsOf({ ...report, boots: { exception: 0 } }, hourMs);
  assert.equal(none["disconnects"]?.amount, 4, "no start at all");
});

test("takes a moment for ten minutes, so that no rate is beyond all others", () => {
  const moment = readingsOf({ ...report, spanMs: 1 }, null);
  assert.equal(moment["batteryDrain"]?.hours, 1 / 6);
});

for (const [state, ranMs, arm] of [
  ["waiting", 0, "waiting"],
  ["updated", 3 * hourMs, "updated"],
  ["updated", 2 * hourMs - 500_000, "updated"],
  ["updated", hourMs, null],
  ["trial", 3 * hourMs, null],
  ["rolled-back", 3 * hourMs, null],
  ["excluded", 3 * hourMs, null],
] as const)
  test(`counts two hours of a member that is ${state} for ${ranMs} ms as ${arm}`, () => {
    const nowMs = 100 * hourMs;
    const member = { state, changed_service_ms: nowMs - ranMs };
    assert.equal(armOf(member, report, nowMs), arm);
  });

test("a cohort sums by metric, and takes no more of them than it may", () => {
  const sums: CohortSums = { reports: 0, metrics: {} };
  for (let device = 0; device < 100; device += 1)
    addToCohort(sums, readingsOf({ ...report, application: { [`c${device}`]: 1 } }, null));
  assert.equal(sums.reports, 100);
  assert.deepEqual(sums.metrics["disconnects"], { hours: 200, amount: 400 });
  assert.equal(Object.keys(sums.metrics).length, 64);
});
