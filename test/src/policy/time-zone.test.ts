import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  nextChangeAfter,
  offsetSecondsAt,
  parseTimeZone,
  type TimeZone,
  timeZoneCharactersMax,
} from "../../../src/policy/time-zone.ts";
import { intlOffset } from "../../support/intl-offset.ts";

function zoneOf(text: string): TimeZone {
  const parsed = parseTimeZone(text);
  if (!parsed.ok) throw new Error(`${text}: ${parsed.reason}`);
  return parsed.zone;
}

function unixSeconds(isoUtc: string): number {
  return Date.parse(isoUtc) / 1000;
}

test("reads zones with and without daylight saving", () => {
  assert.deepEqual(zoneOf("IST-5:30"), {
    text: "IST-5:30",
    standardSeconds: 19_800,
    daylight: null,
  });
  assert.deepEqual(zoneOf("CET-1CEST,M3.5.0,M10.5.0/3"), {
    text: "CET-1CEST,M3.5.0,M10.5.0/3",
    standardSeconds: 3600,
    daylight: {
      offsetSeconds: 7200,
      begins: { kind: "weekday", month: 3, week: 5, weekday: 0, timeSeconds: 7200 },
      ends: { kind: "weekday", month: 10, week: 5, weekday: 0, timeSeconds: 10_800 },
    },
  });
  assert.deepEqual(zoneOf("<-04>4<-03>3,J60/24:00:30,365/-167").daylight, {
    offsetSeconds: -10_800,
    begins: { kind: "julian", day: 60, timeSeconds: 86_430 },
    ends: { kind: "ordinal", day: 365, timeSeconds: -601_200 },
  });
  assert.equal(zoneOf("LMT+0:53:28").standardSeconds, -3208);
  assert.equal(zoneOf("UTC0").standardSeconds, 0);
});

test("refuses other texts and says which part is wrong", () => {
  const refused: ReadonlyArray<readonly [string, string]> = [
    ["", "time-zone-name"],
    ["UT0", "time-zone-name"],
    ["<UTC0", "time-zone-name"],
    [":Europe/Berlin", "time-zone-name"],
    ["Europe/Berlin", "time-zone-offset"],
    ["CET", "time-zone-offset"],
    ["CET-25", "time-zone-offset"],
    ["CET-1:60", "time-zone-offset"],
    ["CET-24:00:01", "time-zone-offset"],
    ["CET-1,M3.5.0,M10.5.0", "daylight-name"],
    ["CET-1 ", "daylight-name"],
    ["CET-1CEST-25,M3.5.0,M10.5.0", "daylight-offset"],
    ["CET-1CEST?", "daylight-offset"],
    ["CET-1CEST", "daylight-rules-missing"],
    ["CET-1CEST-2", "daylight-rules-missing"],
    ["CET-1CEST,", "daylight-rule"],
    ["CET-1CEST,M3.5.0", "daylight-rule"],
    ["CET-1CEST,M0.5.0,M10.5.0", "daylight-rule"],
    ["CET-1CEST,M13.5.0,M10.5.0", "daylight-rule"],
    ["CET-1CEST,M3.0.0,M10.5.0", "daylight-rule"],
    ["CET-1CEST,M3.6.0,M10.5.0", "daylight-rule"],
    ["CET-1CEST,M3.5.7,M10.5.0", "daylight-rule"],
    ["CET-1CEST,J0,M10.5.0", "daylight-rule"],
    ["CET-1CEST,J366,M10.5.0", "daylight-rule"],
    ["CET-1CEST,366,M10.5.0", "daylight-rule"],
    ["CET-1CEST,M3.5.0/168,M10.5.0", "daylight-rule"],
    ["CET-1CEST,M3.5.0/,M10.5.0", "daylight-rule"],
    ["CET-1CEST,M3.5.0,M10.5.0/3 ", "daylight-rule"],
    [`<${"A".repeat(timeZoneCharactersMax)}>0`, "time-zone-too-long"],
  ];
  for (const [text, reason] of refused)
    assert.deepEqual(parseTimeZone(text), { ok: false, reason }, text);
});

test("changes the offset at the very second of the rule", () => {
  const rows: ReadonlyArray<readonly [string, string, number, number]> = [
    // zone, first second of the new offset, offset before, offset from then on
    ["CET-1CEST,M3.5.0,M10.5.0/3", "2025-03-30T01:00:00Z", 3600, 7200],
    ["CET-1CEST,M3.5.0,M10.5.0/3", "2025-10-26T01:00:00Z", 7200, 3600],
    ["EST5EDT,M3.2.0,M11.1.0", "2024-03-10T07:00:00Z", -18_000, -14_400],
    // south of the equator daylight saving lasts over new year
    ["AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-04-04T16:00:00Z", 39_600, 36_000],
    // negative daylight saving: winter time is the exception in Ireland
    ["IST-1GMT0,M10.5.0,M3.5.0/1", "2025-10-26T01:00:00Z", 3600, 0],
    // a change in the evening before the named day
    ["<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2025-03-30T01:00:00Z", -7200, -3600],
    // J60 is March 1 in leap years too; ordinal 59 is February 29 in them
    ["XXX0YYY,J60/0,J300", "2024-03-01T00:00:00Z", 0, 3600],
    ["XXX0YYY,59/0,J300", "2024-02-29T00:00:00Z", 0, 3600],
    ["XXX0YYY,59/0,J300", "2025-03-01T00:00:00Z", 0, 3600],
  ];
  for (const [text, at, before, after] of rows) {
    const zone = zoneOf(text);
    const second = unixSeconds(at);
    assert.equal(offsetSecondsAt(zone, second - 1), before, `${text} before ${at}`);
    assert.equal(offsetSecondsAt(zone, second), after, `${text} at ${at}`);
    assert.equal(nextChangeAfter(zone, second - 1), second, `${text} finds ${at}`);
  }
});

test("keeps a permanent daylight saving as RFC 8536 writes it, through every new year", () => {
  const zone = zoneOf("EST5EDT,0/0,J365/25");
  for (let year = 2024; year < 2034; year += 1)
    for (const hours of [-30, -6, -5, -4, -1, 0, 1, 4, 5, 6, 4000])
      assert.equal(offsetSecondsAt(zone, unixSeconds(`${year}-01-01`) + hours * 3600), -14_400);
  assert.equal(nextChangeAfter(zone, unixSeconds("2025-06-01")), null);
  assert.equal(nextChangeAfter(zoneOf("IST-5:30"), unixSeconds("2025-06-01")), null);
});

/** Zones whose law did not change in these years, as the time zone database ends their entries. */
const realZones: ReadonlyArray<readonly [name: string, rule: string, firstYear: number]> = [
  ["Europe/Berlin", "CET-1CEST,M3.5.0,M10.5.0/3", 2005],
  ["Europe/Dublin", "IST-1GMT0,M10.5.0,M3.5.0/1", 2005],
  ["America/New_York", "EST5EDT,M3.2.0,M11.1.0", 2008],
  ["America/St_Johns", "NST3:30NDT,M3.2.0,M11.1.0", 2012],
  ["Australia/Sydney", "AEST-10AEDT,M10.1.0,M4.1.0/3", 2009],
  ["Australia/Lord_Howe", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", 2009],
  ["Pacific/Chatham", "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45", 2009],
  ["America/Santiago", "<-04>4<-03>,M9.1.6/24,M4.1.6/24", 2023],
  ["Asia/Jerusalem", "IST-2IDT,M3.4.4/26,M10.5.0", 2014],
  ["Asia/Kolkata", "IST-5:30", 2005],
];

for (const [name, rule, firstYear] of realZones)
  test(`${rule} tells the time of ${name} from ${firstYear} to 2037, to the second of each change`, () => {
    const zone = zoneOf(rule);
    const expected = intlOffset(name);
    const step = 12 * 3600 + 1234;
    let from = unixSeconds(`${firstYear}-01-01`);
    for (const end = unixSeconds("2038-01-01"); from < end; from += step) {
      assert.equal(offsetSecondsAt(zone, from), expected(from), `${name} at ${from}`);
      if (expected(from) === expected(from + step)) continue;
      let [before, after] = [from, from + step];
      while (after - before > 1) {
        const middle = Math.floor((before + after) / 2);
        if (expected(middle) === expected(from)) before = middle;
        else after = middle;
      }
      assert.equal(nextChangeAfter(zone, from), after, `${name} changes at ${after}`);
      assert.equal(offsetSecondsAt(zone, before), expected(before));
      assert.equal(offsetSecondsAt(zone, after), expected(after));
    }
  });

const ruleText = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 5 }), fc.nat(6))
    .map(([month, week, day]) => `M${month}.${week}.${day}`),
  fc.integer({ min: 1, max: 365 }).map((day) => `J${day}`),
  fc.nat(365).map(String),
);
const anyZoneText = fc
  .tuple(ruleText, fc.integer({ min: -167, max: 167 }), ruleText, fc.integer({ min: -24, max: 24 }))
  .map(([begins, hours, ends, offset]) => `AAA${offset}BBB,${begins}/${hours},${ends}`);

test("every pair of rules gives one of the two offsets, and none in between until the next change", () => {
  fc.assert(
    fc.property(
      anyZoneText,
      fc.nat(2 ** 32),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (text, from, share) => {
        const zone = zoneOf(text);
        const offset = offsetSecondsAt(zone, from);
        assert.ok([zone.standardSeconds, zone.standardSeconds + 3600].includes(offset));
        const change = nextChangeAfter(zone, from);
        if (change === null) return;
        assert.ok(change > from);
        assert.notEqual(offsetSecondsAt(zone, change), offset);
        const between = from + Math.floor(share * (change - from));
        assert.equal(offsetSecondsAt(zone, between), offset);
      },
    ),
  );
});

test("any text is read or refused, never thrown at", () => {
  const mutated = fc
    .tuple(anyZoneText, fc.nat(40), fc.string({ maxLength: 3 }))
    .map(([text, at, noise]) => text.slice(0, at) + noise + text.slice(at + 1));
  fc.assert(
    fc.property(fc.oneof(fc.string({ maxLength: 80 }), mutated), (text) => {
      const parsed = parseTimeZone(text);
      if (!parsed.ok) return;
      assert.equal(parsed.zone.text, text);
      assert.ok(Number.isInteger(offsetSecondsAt(parsed.zone, 1_750_000_000)));
    }),
  );
});
