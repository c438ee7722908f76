import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type FleetWindows,
  judgeWindow,
  lastWindowOpens,
  windowOpens,
} from "../../../../hosts/fleet/rollout/window-verdict.ts";
import {
  readGroupWindows,
  readRolloutWindows,
} from "../../../../hosts/fleet/rollout/windows-document.ts";
import type { JsonObject } from "../../../../src/protocol/json.ts";
import { intlOffset } from "../../../support/intl-offset.ts";

const at = (isoUtc: string): number => Date.parse(isoUtc);
const now = at("2027-01-15T08:00Z"); // a Friday
const evening = { days: ["fri"], start: "18:00", minutes: 60 };

function windowsOf(
  rollout: JsonObject | null,
  groups: Record<string, JsonObject> = {},
): FleetWindows {
  const read = rollout === null ? null : readRolloutWindows(rollout);
  if (read?.ok === false) throw new Error(read.message);
  const ofGroups = Object.entries(groups).map(([name, document]) => {
    const group = readGroupWindows(document);
    if (!group.ok) throw new Error(group.message);
    return [name, group.windows] as const;
  });
  return { rollout: read === null ? null : read.windows, groups: new Map(ofGroups) };
}

const place = (timezone: string | null, ...groups: string[]) => ({ timezone, groups });
const count = (devices: number, timezone: string | null, ...groups: string[]) => ({
  ...place(timezone, ...groups),
  devices,
});

test("where no windows count, a step may be taken at any time", () => {
  const none = { open: null, untilUnixMs: null };
  assert.deepEqual(judgeWindow("install", windowsOf(null), place(null), now), none);
  const downloads = windowsOf({ timeZone: "UTC0", download: [evening] });
  assert.deepEqual(judgeWindow("install", downloads, place(null), now), none);
  assert.equal(windowOpens("install", downloads, place(null), now), now);
});

const names = Intl.supportedValuesOf("timeZone");
const dayNames = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const window = fc.record({
  days: fc.subarray(dayNames, { minLength: 1 }),
  start: fc
    .integer({ min: 0, max: 1439 })
    .map((minute) => new Date(minute * 60_000).toISOString().slice(11, 16)),
  minutes: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 10_080 })),
});
const instant = fc.integer({ min: at("2020-01-01"), max: at("2035-01-01") });

test("a window is open where the clock on the wall, as ECMA-402 tells it, is inside", () => {
  fc.assert(
    fc.property(fc.constantFrom(...names), window, instant, (timezone, one, unixMs) => {
      const windows = windowsOf({ timeZone: "device", install: [one] });
      const { open } = judgeWindow("install", windows, place(timezone), unixMs);
      const second = Math.floor(unixMs / 1000);
      const local = second + intlOffset(timezone)(second);
      const [hours, minutes] = one.start.split(":").map(Number);
      const inside = one.days.some((day) => {
        const start = dayNames.indexOf(day) * 86_400 + (hours ?? 0) * 3600 + (minutes ?? 0) * 60;
        const sunday = 3 * 86_400; // 1970-01-04
        const since = (((local - sunday - start) % 604_800) + 604_800) % 604_800;
        return since < one.minutes * 60;
      });
      assert.equal(open, inside, `${timezone} ${JSON.stringify(one)} at ${unixMs}`);
    }),
    { numRuns: 500 },
  );
});

test("a verdict holds until the instant that it names, and the next one begins there", () => {
  const list = fc.array(window, { maxLength: 4 });
  fc.assert(
    fc.property(fc.constantFrom(...names), list, list, instant, (timezone, one, other, unixMs) => {
      const windows = windowsOf(
        { timeZone: "device", install: one },
        { a: { timeZone: "UTC0", install: other } },
      );
      const where = place(timezone, ...(other.length > 2 ? ["a"] : []));
      const { open, untilUnixMs } = judgeWindow("install", windows, where, unixMs);
      const isOpen = (ms: number) => judgeWindow("install", windows, where, ms).open;
      const untilMs = untilUnixMs ?? unixMs + 30 * 86_400_000;
      assert.ok(untilMs > unixMs);
      for (const part of [0.01, 0.3, 0.7, 0.999])
        assert.equal(isOpen(unixMs + Math.floor((untilMs - unixMs - 1) * part)), open);
      assert.equal(isOpen(untilMs - 1), open);
      const opens = windowOpens("install", windows, where, unixMs);
      if (opens === null) return;
      assert.equal(isOpen(opens), true);
      if (opens > unixMs) assert.equal(isOpen(opens - 1), false);
      assert.equal(opens === unixMs, open === true);
    }),
    { numRuns: 300 },
  );
});

test("what a group's windows leave open of a step is the rollout's to say", () => {
  const windows = windowsOf(
    { timeZone: "UTC0", download: [evening], install: [evening] },
    { hospital: { timeZone: "UTC0", install: [] } },
  );
  const ward = place(null, "hospital");
  assert.equal(windowOpens("install", windows, ward, now), null);
  assert.equal(windowOpens("download", windows, ward, now), at("2027-01-15T18:00Z"));
  assert.equal(windowOpens("install", windows, place(null, "ward"), now), at("2027-01-15T18:00Z"));
});

test("no rollout opens what the fleet's windows of a group close", () => {
  const windows = windowsOf(
    { timeZone: "UTC0", groups: { hospital: { install: [{ ...evening, minutes: 240 }] } } },
    { hospital: { timeZone: "UTC0", install: [{ ...evening, start: "20:00" }] } },
  );
  assert.equal(
    windowOpens("install", windows, place(null, "hospital"), now),
    at("2027-01-15T20:00Z"),
  );
});

test("a device in two groups waits for both; two that share no hour never open", () => {
  const windows = windowsOf(null, {
    a: { timeZone: "UTC0", install: [{ ...evening, minutes: 240 }] },
    b: { timeZone: "device", install: [{ ...evening, start: "22:00" }] },
  });
  const opens = (...groups: string[]) =>
    windowOpens("install", windows, place("Europe/Berlin", ...groups), now);
  assert.equal(opens("a", "b"), at("2027-01-15T21:00Z"));
  const apart = windowsOf(null, {
    a: { timeZone: "UTC0", install: [evening] },
    b: { timeZone: "UTC0", install: [{ ...evening, start: "20:00" }] },
  });
  assert.equal(windowOpens("install", apart, place(null, "a", "b"), now), null);
});

test("a zone that the database does not have is as none", () => {
  const windows = windowsOf({ timeZone: "device", install: [evening] });
  assert.equal(windowOpens("install", windows, place("Mars/Olympus"), now), null);
  const { open, untilUnixMs } = judgeWindow("install", windows, place("Mars/Olympus"), now);
  assert.deepEqual([open, untilUnixMs], [false, null]);
});

test("the last window is that of the latest place, after its window to download", () => {
  const windows = windowsOf({
    timeZone: "device",
    download: [evening],
    install: [{ days: ["sat"], start: "03:00", minutes: 60 }],
    groups: { closed: { install: [] } },
  });
  const counts = [
    count(3, "Asia/Tokyo"),
    count(1, "America/New_York"),
    count(0, "Pacific/Honolulu"),
    count(7, null),
    count(2, "Asia/Tokyo", "closed"),
  ];
  assert.deepEqual(lastWindowOpens(counts, windows, now), {
    lastOpensAtUnixMs: at("2027-01-16T08:00Z"),
    withoutTimeZone: 7,
    neverOpen: 2,
  });
});

test("without windows the last device's time is now, and without devices there is none", () => {
  const nobody = { withoutTimeZone: 0, neverOpen: 0 };
  assert.deepEqual(lastWindowOpens([count(5, null)], windowsOf(null), now), {
    ...nobody,
    lastOpensAtUnixMs: now,
  });
  const windows = windowsOf({ timeZone: "device", install: [evening] });
  assert.deepEqual(lastWindowOpens([], windows, now), { ...nobody, lastOpensAtUnixMs: null });
});
