// When a simulated fleet's run ends with 1: by what its devices came to, whichever the seed was.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LastingFault } from "../../../../hosts/cli/simulation/faults.ts";
import type { DeviceOutcome } from "../../../../hosts/cli/simulation/fleet-run.ts";
import { problemOf } from "../../../../hosts/cli/simulation/problem.ts";

interface Group extends Partial<Pick<DeviceOutcome, "end" | "reason">> {
  readonly count: number;
  readonly lasting?: LastingFault;
}

function problem(...groups: readonly Group[]): string | null {
  const devices = groups.flatMap(({ count, lasting = null, ...more }, group) =>
    Array.from({ length: count }, (_, index) => {
      const id = `device-${group}-${index}`;
      return { id, version: "1.1.0", lasting, end: "on-target", reason: "", ...more } as const;
    }),
  );
  const onTarget = devices.filter(({ end }) => end === "on-target").length;
  return problemOf({ devices, countedUpdated: onTarget, runningTarget: onTarget });
}

const deferred = { end: "with-reason", reason: "deferred: window-closed" } as const;

test("a fleet is judged by the devices that can end on the target", () => {
  assert.equal(problem({ count: 94 }, { count: 6, lasting: "freeze", ...deferred }), null);
  assert.equal(problem({ count: 50 }, { count: 50, lasting: "flat-battery", ...deferred }), null);
  assert.equal(problem({ count: 95 }, { count: 5, ...deferred }), null);
  assert.match(problem({ count: 94 }, { count: 6, ...deferred }) ?? "", /94 of the 100 devices/);
  const hidden = problem(
    { count: 90 },
    { count: 5, lasting: "freeze", ...deferred },
    { count: 5, ...deferred },
  );
  assert.match(hidden ?? "", /90 of the 95 devices/);
});

test("a fleet is too small for a share, and never for what must not be", () => {
  assert.equal(problem({ count: 10 }, { count: 10, ...deferred }), null);
  const ends: ReadonlyArray<readonly [Group, RegExp]> = [
    [{ count: 1, end: "lost" }, /1 devices are lost/],
    [{ count: 2, end: "unexplained" }, /2 devices have no reason, such as device-1-0/],
    [{ count: 1, end: "with-reason", reason: "failed: hash-mismatch" }, /failed over faults/],
    [{ count: 1, lasting: "freeze" }, /took the release in spite of its freeze/],
    [{ count: 1, lasting: "flat-battery" }, /took the release in spite of its flat-battery/],
  ];
  for (const [group, told] of ends) assert.match(problem({ count: 19 }, group) ?? "", told);
  const passing = { count: 1, end: "with-reason", reason: "failed: hash-mismatch" } as const;
  assert.equal(problem({ count: 19 }, { ...passing, lasting: "flat-battery" }), null);
});

test("two counts that differ are told before all else", () => {
  assert.match(problemOf({ devices: [], countedUpdated: 3, runningTarget: 2 }) ?? "", /counts 3/);
});
