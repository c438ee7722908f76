import assert from "node:assert/strict";
import { test } from "node:test";
import { rollbackRequestsMax, type StabilityEvent } from "../../../src/policy/stability.ts";
import {
  crashes,
  failing,
  hour,
  minute,
  missed,
  oldImage,
  otherImage,
  passing,
  second,
  someTime,
  WatchedDevice,
} from "./watched-device.ts";

for (const [clock, clockMs] of [
  ["without a clock", undefined],
  ["with a clock", someTime],
] as const) {
  const options = clockMs === undefined ? {} : { clockMs };

  test(`the fourth reboot within five minutes rolls back, ${clock}`, () => {
    for (const runMs of [0, 5 * second, 45 * second, 90 * second]) {
      const device = new WatchedDevice(options);
      const kinds = crashes(device, [hour, runMs, runMs, runMs]);
      assert.deepEqual(kinds, ["none", "none", "none", "rollback"], `every ${runMs} ms`);
      const [decision] = device.decisions;
      assert.equal(decision?.kind === "rollback" && decision.trigger, "reboots");
    }
  });

  test(`four reboots in more than five minutes do not, ${clock}`, () => {
    for (const runMs of [110 * second, 150 * second, 10 * minute, 5 * hour]) {
      const device = new WatchedDevice(options);
      crashes(device, [minute, runMs, runMs, runMs, runMs]);
      assert.deepEqual(device.decisions, [], `every ${runMs} ms`);
    }
  });

  test(`the sixth watchdog reset within ten minutes rolls back, ${clock}`, () => {
    const device = new WatchedDevice({ ...options, reboots: null });
    const kinds = [0, 1, 2, 3, 4, 5].map(() => {
      device.run(110 * second);
      return device.boot("watchdog").kind;
    });
    assert.deepEqual(kinds, ["none", "none", "none", "none", "none", "rollback"]);
    const [decision] = device.decisions;
    assert.equal(decision?.kind === "rollback" && decision.trigger, "watchdog");
  });
}

test("other resets do not count as the watchdog's", () => {
  const device = new WatchedDevice({ reboots: null });
  crashes(device, [0, 0, 0, 0, 0, 0, 0, 0]);
  assert.deepEqual(device.decisions, []);
});

test("with a clock, time without power counts between resets", () => {
  const device = new WatchedDevice({ clockMs: someTime });
  for (let boots = 0; boots < 6; boots += 1) device.boot("exception", { offMs: 2 * minute });
  assert.deepEqual(device.decisions, []);
});

test("a clock that was set back counts as none", () => {
  const device = new WatchedDevice({ clockMs: someTime });
  device.run(hour);
  const kinds = [1, 2, 3, 4].map((boots) => {
    device.clockMs = someTime - boots * 24 * hour;
    return device.boot("exception").kind;
  });
  assert.deepEqual(kinds, ["none", "none", "none", "rollback"]);
});

test("resets by the supply and on purpose do not count", () => {
  const device = new WatchedDevice();
  for (let boots = 0; boots < 10; boots += 1) {
    device.boot("power-on");
    device.boot("brownout");
    device.boot("deep-sleep");
    device.take({ kind: "restarting", sleepMs: 0 });
    device.boot("software");
  }
  assert.deepEqual(device.decisions, []);
});

test("a restart that was not announced counts, and so does a crash on the way to an announced one", () => {
  const unannounced = new WatchedDevice();
  for (let boots = 0; boots < 4; boots += 1) unannounced.boot("software");
  assert.equal(unannounced.decisions.length, 1);
  const crashing = new WatchedDevice();
  for (let boots = 0; boots < 4; boots += 1) {
    crashing.take({ kind: "restarting", sleepMs: 0 });
    crashing.boot("watchdog");
  }
  assert.equal(crashing.decisions.length, 1);
});

test("an announcement excuses one restart, not the next", () => {
  const device = new WatchedDevice();
  device.take({ kind: "restarting", sleepMs: 0 });
  const kinds = [0, 1, 2, 3, 4].map(() => device.boot("software").kind);
  assert.deepEqual(kinds, ["none", "none", "none", "none", "rollback"]);
});

test("health that fails for over two minutes rolls back, and a pass in between starts anew", () => {
  const device = new WatchedDevice();
  device.run(hour, passing);
  assert.equal(device.run(2 * minute, failing).kind, "none");
  device.run(10 * second, passing);
  assert.equal(device.run(2 * minute + 10 * second, failing).kind, "none");
  const decision = device.run(10 * second, failing);
  assert.deepEqual(decision, {
    kind: "rollback",
    trigger: "health",
    detail: "health failing for 130 s",
  });
});

test("health that fails goes on failing across a reboot", () => {
  const device = new WatchedDevice();
  device.run(100 * second, failing);
  device.boot("power-on");
  assert.equal(device.run(70 * second, failing).kind, "rollback");
});

test("what is no longer failing is forgotten before the next reboot", () => {
  const device = new WatchedDevice();
  device.run(100 * second, failing);
  device.run(10 * second, passing);
  device.boot("power-on");
  assert.equal(device.run(2 * minute, failing).kind, "none");
});

test("time without power does not age a failure", () => {
  const device = new WatchedDevice({ clockMs: someTime });
  device.run(100 * second, failing);
  device.boot("power-on", { offMs: 8 * hour });
  assert.equal(device.take(failing).kind, "none");
});

test("no server for over five minutes rolls back only when all else speaks for the server", () => {
  const rows = [
    ["reached before, link up, other endpoint missed too", true, missed, "rollback"],
    ["never reached under this image", false, missed, "none"],
    ["the link is down", true, { ...missed, linkUp: false }, "none"],
    ["the other endpoint answers", true, { ...missed, other: "reached" }, "none"],
    ["there is one endpoint only", true, { ...missed, other: "none" }, "none"],
  ] as const;
  for (const [name, serverReached, event, expected] of rows) {
    const device = new WatchedDevice({ serverReached });
    device.run(minute);
    assert.equal(device.run(5 * minute, event).kind, "none", name);
    assert.equal(device.run(minute, event).kind, expected, name);
  }
});

test("the server's absence is counted from when all of its conditions hold", () => {
  const device = new WatchedDevice({ serverReached: false });
  device.run(10 * minute, missed);
  device.take({ kind: "serverReached" });
  device.run(5 * minute, missed);
  device.take({ ...missed, other: "reached" } as StabilityEvent);
  device.run(5 * minute, missed);
  device.take({ kind: "serverReached" });
  assert.equal(device.run(5 * minute, missed).kind, "none");
  const decision = device.run(minute, missed);
  assert.equal(decision.kind === "rollback" && decision.trigger, "no-server");
});

test("the server reached once stays reached across reboots", () => {
  const device = new WatchedDevice({ serverReached: false });
  device.take({ kind: "serverReached" });
  device.boot("power-on");
  assert.equal(device.run(6 * minute, missed).kind, "rollback");
});

test("a heap that grows period by period is a leak; a boot begins anew", () => {
  const limitBytes = 98_304;
  const grow = (device: WatchedDevice, periods: number) => {
    let kind = "none";
    for (let period = 0; period < periods && kind === "none"; period += 1) {
      const usedBytes = 40_000 + period * 1000;
      kind = device.run(30 * minute, { kind: "heap", usedBytes, limitBytes }).kind;
    }
    return kind;
  };
  const device = new WatchedDevice();
  assert.equal(grow(device, 6), "none");
  device.boot("power-on");
  assert.equal(grow(device, 7), "none");
  assert.equal(grow(new WatchedDevice(), 9), "rollback");
  assert.equal(grow(new WatchedDevice({ leak: null }), 12), "none");
});

test("a trigger that is switched off never rolls back", () => {
  const device = new WatchedDevice({
    reboots: null,
    watchdogResets: null,
    healthFailingMs: null,
    noServerMs: null,
  });
  device.run(hour, failing);
  device.run(hour, missed);
  for (let boots = 0; boots < 20; boots += 1) device.boot("watchdog");
  assert.deepEqual(device.decisions, []);
});

test("nothing is decided after the soak", () => {
  for (const clockMs of [undefined, someTime]) {
    const device = new WatchedDevice(clockMs === undefined ? {} : { clockMs });
    device.run(24 * hour);
    assert.equal(device.history.phase, "over");
    device.run(hour, failing);
    crashes(device, [0, 0, 0, 0, 0]);
    assert.deepEqual(device.decisions, []);
  }
});

test("time without power does not count towards the soak, with a clock or without", () => {
  for (const clockMs of [undefined, someTime]) {
    const device = new WatchedDevice(clockMs === undefined ? {} : { clockMs });
    device.boot("power-on", { offMs: 23 * hour });
    device.run(23 * hour);
    assert.equal(device.history.phase, "watching");
    device.run(2 * hour);
    assert.equal(device.history.phase, "over");
  }
});

for (const reason of ["power-on", "software", "exception", "brownout", "deep-sleep"] as const)
  test(`a clock that jumped ahead before a boot of ${reason} does not end the soak`, () => {
    const device = new WatchedDevice({ clockMs: someTime, reboots: null });
    for (let boots = 1; boots <= 5; boots += 1) {
      device.run(10 * minute);
      device.clockMs = someTime + boots * 365 * 24 * hour;
      device.boot(reason);
      assert.equal(device.history.phase, "watching");
    }
    device.run(22 * hour);
    assert.equal(device.history.phase, "watching");
    device.run(2 * hour);
    assert.equal(device.history.phase, "over");
  });

test("after a planned sleep a clock counts for what can have been slept, and no more", () => {
  const device = new WatchedDevice({ clockMs: someTime });
  for (let wakes = 1; wakes <= 4; wakes += 1) {
    device.run(10 * second);
    device.take({ kind: "restarting", sleepMs: hour });
    device.clockMs = someTime + wakes * 365 * 24 * hour;
    device.boot("deep-sleep", { offMs: hour });
    // The longest sleep and a twelfth of the soak each; the first was counted when it began, too.
    const { elapsedSeconds, unseenSeconds } = device.history;
    assert.ok(elapsedSeconds - unseenSeconds <= 3600 + wakes * (3 * 3600 + 60));
    assert.equal(device.history.phase, "watching");
  }
});

test("with a clock the soak ends on time for a device that sleeps, at a few writes", () => {
  const device = new WatchedDevice({ clockMs: someTime });
  let wakes = 0;
  for (; device.history.phase === "watching" && wakes < 200; wakes += 1) {
    device.run(10 * second);
    device.take({ kind: "restarting", sleepMs: hour / 4 });
    device.boot("deep-sleep", { offMs: hour / 4 });
  }
  assert.ok(device.nowMs >= 24 * hour && device.nowMs < 27 * hour, `${device.nowMs / hour} hours`);
  assert.ok(device.writes <= 30, `${device.writes} writes`);
});

test("a sleep that was announced counts towards the soak without a clock", () => {
  const device = new WatchedDevice();
  for (let wakes = 0; wakes < 24; wakes += 1) {
    device.run(10 * second);
    device.take({ kind: "restarting", sleepMs: hour });
    device.boot("deep-sleep", { offMs: hour });
  }
  assert.equal(device.history.phase, "over");
});

test("the watch ends when the old image is gone or another image runs", () => {
  const gone = new WatchedDevice();
  gone.secondary = { imageHash: otherImage, securityCounter: 1 };
  gone.take({ kind: "tick" });
  assert.equal(gone.history.phase, "over");
  const erased = new WatchedDevice();
  erased.secondary = { imageHash: null, securityCounter: null };
  erased.take({ kind: "tick" });
  assert.equal(erased.history.phase, "over");
  const back = new WatchedDevice();
  back.running = { imageHash: oldImage, securityCounter: 1 };
  back.boot("software");
  assert.equal(back.history.phase, "over");
});

test("a secondary slot that cannot be read decides nothing and ends nothing", () => {
  const device = new WatchedDevice();
  device.secondary = null;
  assert.equal(device.run(5 * minute, failing).kind, "none");
  assert.equal(device.history.phase, "watching");
  device.secondary = { imageHash: oldImage, securityCounter: 1 };
  assert.equal(device.take(failing).kind, "rollback");
});

test("an old image with a lower security counter is never asked for, and that is said once", () => {
  const rows = [
    [1, 2, "rollback-impossible"],
    [null, 1, "rollback-impossible"],
    [2, 2, "rollback"],
    [3, 2, "rollback"],
    [null, null, "rollback"],
    [0, null, "rollback"],
  ] as const;
  for (const [old, running, expected] of rows) {
    const device = new WatchedDevice();
    device.secondary = { imageHash: oldImage, securityCounter: old };
    device.running = { ...device.running, securityCounter: running };
    const decision = device.run(3 * minute, failing);
    assert.equal(decision.kind, expected, `${old} under ${running}`);
    if (decision.kind === "rollback-impossible") assert.equal(decision.reason, "counter");
    device.run(hour, failing);
    crashes(device, [0, 0, 0, 0]);
    const said = device.decisions.filter(({ kind }) => kind === "rollback-impossible");
    assert.equal(said.length, expected === "rollback" ? 0 : 1);
  }
});

test("a rollback that does not come about is asked for again at the next boots, then given up", () => {
  const device = new WatchedDevice();
  device.run(3 * minute, failing);
  device.run(hour, failing);
  assert.equal(device.decisions.length, 1);
  for (let boots = 0; boots < 10; boots += 1) device.boot("power-on");
  assert.equal(device.decisions.length, rollbackRequestsMax);
  assert.ok(
    device.decisions.every((each) => each.kind === "rollback" && each.trigger === "health"),
  );
  assert.equal(device.history.phase, "over");
});

test("a soak without incident stores the history about once in two hours", () => {
  const device = new WatchedDevice();
  for (let polls = 0; polls < 24 * 12; polls += 1) {
    device.run(5 * minute, passing);
    device.take({ kind: "serverReached" });
  }
  assert.equal(device.history.phase, "over");
  assert.ok(device.writes <= 15, `${device.writes} writes`);
});

test("a lone crash costs at most twelve more", () => {
  for (const reason of ["exception", "watchdog"] as const) {
    const device = new WatchedDevice();
    device.boot(reason);
    device.run(hour);
    assert.ok(device.writes <= 13, `${device.writes} writes`);
  }
});

test("the watch ends when its writes are used up", () => {
  const device = new WatchedDevice({ writesMax: 20 });
  for (let boots = 0; boots < 30; boots += 1) {
    device.run(6 * minute);
    device.boot("exception");
  }
  assert.equal(device.history.phase, "over");
  assert.ok(device.writes <= 21);
});
