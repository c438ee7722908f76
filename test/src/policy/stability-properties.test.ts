import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { rollbackRequestsMax, type StabilityEvent } from "../../../src/policy/stability.ts";
import { historyBytesMax } from "../../../src/policy/stability-history.ts";
import { defaultStabilitySettings } from "../../../src/policy/stability-settings.ts";
import {
  crashes,
  failing,
  hour,
  missed,
  passing,
  second,
  someTime,
  WatchedDevice,
} from "./watched-device.ts";

/** What a device can meet; runs are in seconds. */
const anyStep = fc.oneof(
  fc.record({
    kind: fc.constant("run"),
    seconds: fc.nat(900),
    event: fc.constantFrom<StabilityEvent>(
      { kind: "tick" },
      passing,
      failing,
      missed,
      { kind: "serverMissed", linkUp: true, other: "none" },
      { kind: "serverReached" },
      { kind: "heap", usedBytes: 1, limitBytes: 2 },
    ),
  } as const),
  fc.record({
    kind: fc.constant("boot"),
    reason: fc.constantFrom(
      "power-on",
      "software",
      "exception",
      "watchdog",
      "brownout",
      "unknown",
      "deep-sleep",
    ),
    offSeconds: fc.nat(900),
  } as const),
  fc.record({ kind: fc.constant("restart"), sleepSeconds: fc.nat(900) } as const),
);

test("whatever happens: writes, bytes and requests stay within their bounds, and one trigger is enough", () => {
  fc.assert(
    fc.property(
      fc.array(anyStep, { maxLength: 60 }),
      fc.constantFrom(undefined, someTime),
      fc.constantFrom(8, 128),
      (steps, clockMs, writesMax) => {
        const device = new WatchedDevice({
          writesMax,
          ...(clockMs === undefined ? {} : { clockMs }),
        });
        for (const step of steps) {
          if (step.kind === "run") device.run(step.seconds * second, step.event);
          else if (step.kind === "boot")
            device.boot(step.reason, { offMs: step.offSeconds * second });
          else device.take({ kind: "restarting", sleepMs: step.sleepSeconds * second });
          assert.ok(device.stored.length <= historyBytesMax);
        }
        assert.ok(device.writes <= writesMax + rollbackRequestsMax + 1);
        assert.ok(device.decisions.length <= rollbackRequestsMax);
        assert.ok(
          new Set(device.decisions.map((each) => each.kind !== "none" && each.trigger)).size <= 1,
        );
      },
    ),
  );
});

/** Crashes with nothing else going on: the truth is known. */
const anyRuns = fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 4, maxLength: 10 });

function shortestSpan(resetsMs: readonly number[], count: number): number {
  const spans = resetsMs.slice(count - 1).map((last, index) => last - (resetsMs[index] ?? 0));
  return Math.min(...spans);
}

for (const clockMs of [undefined, someTime])
  test(`rolls back for reboots only when they came that fast, ${clockMs === undefined ? "without" : "with"} a clock`, () => {
    fc.assert(
      fc.property(anyRuns, (runs) => {
        const device = new WatchedDevice(clockMs === undefined ? {} : { clockMs });
        const resetsMs: number[] = [];
        for (const run of runs) {
          if (device.decisions.length > 0) break;
          device.run(run * second);
          resetsMs.push(device.nowMs);
          device.boot("exception");
        }
        const spanMs = shortestSpan(resetsMs, 4);
        const { windowMs } = defaultStabilitySettings.reboots ?? { windowMs: 0 };
        const rolledBack = device.decisions.length > 0;
        // Without a clock a crash between two ticks may seem up to a tick nearer; with one, whole
        // seconds are counted.
        const slackMs = clockMs === undefined ? 3 * 10 * second : 3 * second;
        if (rolledBack) assert.ok(spanMs <= windowMs + slackMs, `${spanMs} ms`);
        if (clockMs !== undefined && !rolledBack)
          assert.ok(spanMs >= windowMs - slackMs, `${spanMs} ms`);
      }),
      { numRuns: 300 },
    );
  });

test("finds every crash loop of under a minute and a half a boot, without a clock too", () => {
  const anyLoop = fc.array(fc.nat(85), { minLength: 4, maxLength: 4 });
  fc.assert(
    fc.property(anyLoop, (runs) => {
      const kinds = crashes(
        new WatchedDevice(),
        runs.map((run) => run * second),
      );
      assert.deepEqual(kinds, ["none", "none", "none", "rollback"]);
    }),
  );
});

test("watchdog resets further apart than the rule do not roll back, without a clock too", () => {
  const device = new WatchedDevice({ reboots: null });
  for (let boots = 0; boots < 8; boots += 1) {
    device.run(150 * second);
    device.boot("watchdog");
  }
  assert.deepEqual(device.decisions, []);
});

test("a clock that is set back at each boot brings no resets closer", () => {
  const device = new WatchedDevice({ clockMs: someTime });
  for (const [boots, runSeconds] of [10, 290, 10, 10].entries()) {
    device.run(runSeconds * second);
    device.clockMs = someTime - (boots + 1) * 24 * hour;
    device.boot("exception");
  }
  assert.deepEqual(device.decisions, []);
});

test("health that flaps wears out neither the storage nor the watch", () => {
  const device = new WatchedDevice();
  for (let turns = 0; turns < 60; turns += 1) {
    device.run(100 * second, failing);
    device.run(20 * second, passing);
  }
  assert.ok(device.writes <= 12, `${device.writes} writes`);
  assert.equal(device.history.phase, "watching");
});

test("a soak goes on where it was after a reset without a clock, but for two hours at most", () => {
  const device = new WatchedDevice();
  device.run(13 * hour);
  device.boot("power-on");
  device.run(13 * hour);
  assert.equal(device.history.phase, "over");
});
