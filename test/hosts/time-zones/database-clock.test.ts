import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { databaseClock, timeZoneDatabase } from "../../../hosts/time-zones/database-clock.ts";
import { isOpenBy, nextOpeningBy, type WallClock } from "../../../src/policy/windows.ts";
import { intlOffset } from "../../support/intl-offset.ts";

const names = Intl.supportedValuesOf("timeZone");

function clockOf(name: string): WallClock {
  const clock = databaseClock(name);
  assert.ok(clock !== null, name);
  return clock;
}

test("names the edition of the database that Node carries", () => {
  assert.match(timeZoneDatabase, /^\d{4}[a-z]$/);
  assert.equal(timeZoneDatabase, process.versions["tz"]);
});

test("tells the time that ECMA-402 tells, in every zone at any instant", () => {
  const years = { min: Date.UTC(1995, 0) / 1000, max: Date.UTC(2045, 0) / 1000 };
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.integer(years), (name, second) => {
      assert.equal(clockOf(name).offsetSecondsAt(second), intlOffset(name)(second));
    }),
    { numRuns: 300 },
  );
});

test("the next change is the first second with another offset", () => {
  const years = { min: Date.UTC(2015, 0) / 1000, max: Date.UTC(2030, 0) / 1000 };
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.integer(years), (name, second) => {
      const clock = clockOf(name);
      const told = intlOffset(name);
      const change = clock.nextChangeAfter(second) ?? second + 2 * 365 * 86_400;
      assert.ok(change > second);
      for (const part of [0.1, 0.5, 0.9, 1]) {
        const between = Math.floor(second + (change - 1 - second) * part);
        assert.equal(told(between), told(second), `${name} at ${between}`);
      }
      if (clock.nextChangeAfter(second) !== null) assert.notEqual(told(change), told(change - 1));
    }),
    { numRuns: 200 },
  );
});

test("knows the changes of a zone that no rule describes", () => {
  const clock = clockOf("Africa/Casablanca"); // back for Ramadan, forward after it
  let second = Date.UTC(2024, 6) / 1000;
  const changes: string[] = [];
  for (let count = 0; count < 4; count += 1) {
    second = clock.nextChangeAfter(second) ?? Number.NaN;
    changes.push(new Date(second * 1000).toISOString().slice(0, 10));
  }
  assert.deepEqual(changes, ["2025-02-23", "2025-04-06", "2026-02-15", "2026-03-22"]);
});

test("has no clock for a zone that it does not know", () => {
  for (const name of ["Europe/Atlantis", "", "device"]) assert.equal(databaseClock(name), null);
});

const half = { days: 1, startMinute: 120, durationMinutes: 30 }; // sundays from 02:00 to 02:30
const at = (isoUtc: string): number => Date.parse(isoUtc);

test("a window in the hour that is left out does not happen that night", () => {
  const berlin = clockOf("Europe/Berlin");
  for (const instant of ["2027-03-28T00:59:59Z", "2027-03-28T01:00:00Z", "2027-03-28T01:29:00Z"])
    assert.equal(isOpenBy([half], berlin, at(instant)), false, instant);
  assert.equal(nextOpeningBy([half], berlin, at("2027-03-27T12:00Z")), at("2027-04-04T00:00Z"));
});

test("a window in the hour that comes twice is open both times", () => {
  const berlin = clockOf("Europe/Berlin");
  const rows: ReadonlyArray<readonly [string, boolean]> = [
    ["2027-10-30T23:59:59Z", false],
    ["2027-10-31T00:00:00Z", true],
    ["2027-10-31T00:30:00Z", false],
    ["2027-10-31T01:00:00Z", true],
    ["2027-10-31T01:30:00Z", false],
  ];
  for (const [instant, open] of rows) assert.equal(isOpenBy([half], berlin, at(instant)), open);
  assert.equal(nextOpeningBy([half], berlin, at("2027-10-31T00:30Z")), at("2027-10-31T01:00Z"));
});
