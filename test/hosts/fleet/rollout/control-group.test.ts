import assert from "node:assert/strict";
import { test } from "node:test";
import {
  goodRelease,
  type PlantedRollout,
  runPlanted,
  seeded,
} from "../../../../hosts/bench/planted-release.ts";
import {
  type Arm,
  type Comparison,
  judge,
  newComparison,
  type ObservedDevice,
  observe,
} from "../../../../hosts/fleet/rollout/control-group.ts";
import {
  applicationMetricsMax,
  controlMetricNames,
  defaultControl,
  levelOf,
} from "../../../../hosts/fleet/rollout/control-metrics.ts";

const planted: PlantedRollout = {
  seed: 1,
  devices: 60,
  stages: [0.3, 0.6].map((share) => ({ share, hours: 6 })),
  defect: goodRelease,
  settings: defaultControl,
};

test("stops at most the level of good rollouts that are looked at after every report", () => {
  let stopped = 0;
  for (let seed = 1; seed <= 1000; seed += 1)
    if (runPlanted({ ...planted, seed }).verdict !== null) stopped += 1;
  assert.ok(stopped <= 1000 * defaultControl.level, `${stopped} of 1000 were stopped`);
});

const stages = [0.05, 0.2, 0.5].map((share) => ({ share, hours: 24 }));

for (const [defect, metric] of [
  [{ ...goodRelease, name: "crashes", crashingShare: 0.02 }, "crashes"],
  [{ ...goodRelease, name: "battery", drainTimes: 1.05 }, "batteryDrain"],
  [{ ...goodRelease, name: "heartbeats", heartbeatsLost: 0.5 }, "heartbeatsMissed"],
] as const)
  test(`stops a release that no device goes back for: ${defect.name}`, () => {
    const outcome = runPlanted({ ...planted, devices: 5000, stages, defect });
    assert.equal(outcome.verdict?.metric, metric);
    assert.ok(outcome.updated <= 1000, `${outcome.updated} devices had it`);
  });

interface Scene {
  readonly comparison: Comparison;
  report(id: string, arm: Arm, hour: number, readings: Record<string, number>, kind?: string): void;
}

function scene(): Scene {
  const comparison = newComparison();
  const devices = new Map<string, ObservedDevice>();
  return {
    comparison,
    report(id, arm, hour, readings, stratum = "esp32c3-a eu") {
      const device = devices.get(id) ?? { totals: {}, hadEvents: new Set() };
      devices.set(id, device);
      const told = Object.entries(readings).map(([name, amount]) => [name, { hours: 1, amount }]);
      observe(comparison, device, { stratum, arm, hour, readings: Object.fromEntries(told) });
    },
  };
}

const armOf = (index: number, updated: number): Arm => (index < updated ? "updated" : "waiting");

test("takes one device that crashes all day for one device", () => {
  const { comparison, report } = scene();
  for (let hour = 0; hour < 200; hour += 1) {
    for (let index = 0; index < 100; index += 1)
      report(`${index}`, armOf(index, 20), hour, { crashes: index === 0 ? 10 : 0 });
    assert.equal(judge(comparison, defaultControl), null, `hour ${hour}`);
  }
});

test("takes an hour in which every device misses the server for no difference", () => {
  const { comparison, report } = scene();
  for (let hour = 0; hour < 48; hour += 1) {
    for (let index = 0; index < 200; index += 1)
      report(`${index}`, armOf(index, 100), hour, {
        heartbeatsMissed: hour % 12 === 5 ? 12 : 0,
        disconnects: hour % 12 === 5 ? 1 : 0,
      });
    assert.equal(judge(comparison, defaultControl), null, `hour ${hour}`);
  }
});

test("compares devices of the same hours: those that came in the night are not held against days", () => {
  const { comparison, report } = scene();
  const random = seeded(5);
  for (let hour = 0; hour < 72; hour += 1) {
    const drain = hour % 24 < 12 ? 1 : 3;
    for (let index = 0; index < 200; index += 1) {
      const arm = armOf(index, 50);
      // Only in the hours that drain most do updated devices tell anything.
      if (arm === "updated" && drain === 1) continue;
      report(`${index}`, arm, hour, { batteryDrain: drain + random() });
    }
    assert.equal(judge(comparison, defaultControl), null, `hour ${hour}`);
  }
});

test("compares devices of one kind: hardware that drains more and is updated first stops nothing", () => {
  const { comparison, report } = scene();
  const random = seeded(6);
  for (let hour = 0; hour < 48; hour += 1) {
    for (let index = 0; index < 300; index += 1) {
      const isThirsty = index % 2 === 0;
      const arm = armOf(index, isThirsty ? 200 : 40);
      const kind = isThirsty ? "thirsty eu" : "frugal eu";
      report(`${index}`, arm, hour, { batteryDrain: (isThirsty ? 4 : 1) + random() }, kind);
    }
    assert.equal(judge(comparison, defaultControl), null, `hour ${hour}`);
  }
});

test("stops a release that takes memory, and none that frees it", () => {
  for (const [bytes, metric] of [
    [45_000, "freeMemory"],
    [55_000, undefined],
  ] as const) {
    const { comparison, report } = scene();
    const random = seeded(7);
    for (let hour = 0; hour < 24; hour += 1)
      for (let index = 0; index < 200; index += 1) {
        const arm = armOf(index, 60);
        const free = (arm === "updated" ? bytes : 50_000) + 4000 * random();
        report(`${index}`, arm, hour, { freeMemory: free });
      }
    assert.equal(judge(comparison, defaultControl)?.metric, metric);
  }
});

test("says in one sentence what it compared", () => {
  const { comparison, report } = scene();
  for (let hour = 0; hour < 6; hour += 1)
    for (let index = 0; index < 200; index += 1) {
      const isHit = index < 50 && index % 5 === hour;
      report(`${index}`, armOf(index, 50), hour, { "application.resets": isHit ? 1 : 0 });
    }
  const verdict = judge(comparison, defaultControl);
  assert.match(
    verdict?.sentence ?? "",
    /^application\.resets: 50 updated devices had their first in 6\.25 device days, 0 waiting ones in 31\.3 device days, evidence over 1,000,000 passes 1,600$/,
  );
  assert.deepEqual(verdict?.updated, { devices: 50, value: 50 });
});

test("lets a difference below the least effect pass, and the settings say what that is", () => {
  const { comparison, report } = scene();
  const random = seeded(8);
  for (let hour = 0; hour < 48; hour += 1)
    for (let index = 0; index < 2000; index += 1) {
      const arm = armOf(index, 1000);
      const drain = (arm === "updated" ? 1.04 : 1) * 2 + 0.2 * random();
      report(`${index}`, arm, hour, { batteryDrain: drain });
    }
  const judged = (least: number) =>
    judge(comparison, { ...defaultControl, leastEffect: { batteryDrain: least } });
  assert.equal(judged(0.1), null);
  assert.equal(judged(0.02)?.metric, "batteryDrain");
});

test("is the same when it was stored and read between any two reports", () => {
  const kept = { comparison: newComparison(), devices: new Map<string, ObservedDevice>() };
  const read = { comparison: newComparison(), devices: new Map<string, ObservedDevice>() };
  const anew = <T>(value: T): T => JSON.parse(JSON.stringify(value));
  for (let hour = 0; hour < 8; hour += 1)
    for (let index = 0; index < 60; index += 1)
      for (const side of [kept, read]) {
        const known = side.devices.get(`${index}`) ?? { totals: {}, hadEvents: new Set() };
        side.devices.set(`${index}`, known);
        const amount = (index * 7 + hour) % 11 === 0 ? 1 : 0;
        const observation = {
          stratum: "esp32c3-a eu",
          arm: armOf(index, 20),
          hour,
          readings: { errorLogs: { hours: 1, amount }, freeMemory: { hours: 1, amount: index } },
        };
        observe(side.comparison, known, observation);
        if (side !== read) continue;
        read.comparison = anew(read.comparison);
        read.devices.set(`${index}`, { ...known, totals: anew(known.totals) });
      }
  assert.deepEqual(read, kept);
});

test("shares the level among all metrics, so that more of them are wrong no more often", () => {
  const own = controlMetricNames.map((name) => levelOf(name, 0.05));
  const application = levelOf("application.any", 0.05) * applicationMetricsMax;
  const total = own.reduce((sum, level) => sum + level, application);
  assert.ok(Math.abs(total - 0.05) < 1e-12, `${total}`);
});

test("keeps its bounds: kinds of devices and counters of the application beyond them are left out", () => {
  const { comparison, report } = scene();
  for (let index = 0; index < 200; index += 1)
    report(
      `${index}`,
      "waiting",
      0,
      { [`application.counter${index}`]: 1, crashes: 0 },
      `kind ${index}`,
    );
  assert.equal(comparison.strata.length, 32);
  assert.equal(Object.keys(comparison.metrics).length, applicationMetricsMax + 1);
});
