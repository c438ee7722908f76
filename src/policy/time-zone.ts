import { digits, letters, type Part, partsAtStart } from "../image/text-parts.ts";

/**
 * A time zone as a POSIX TZ rule string (IEEE Std 1003.1-2024, XBD 8.3, the form `std offset dst
 * offset,rule`), parsed once. Rules, not dates: `CET-1CEST,M3.5.0,M10.5.0/3` holds for every year
 * until the law changes.
 */
export interface TimeZone {
  /** The rule as it was written, for reports and the codec. */
  readonly text: string;
  /** Seconds east of UTC while daylight saving is off: local time = UTC + this. */
  readonly standardSeconds: number;
  /** Null for a zone that never changes. */
  readonly daylight: Daylight | null;
}

export interface Daylight {
  /** Seconds east of UTC while it is on. */
  readonly offsetSeconds: number;
  readonly begins: ChangeRule;
  readonly ends: ChangeRule;
}

/**
 * On which day of each year the clock changes, and at which second of that day by the clock that
 * was valid until then.
 */
export type ChangeRule =
  /** `Mm.w.d`: month 1 to 12, week 1 to 5 (5 is the last), weekday 0 (Sunday) to 6. */
  | {
      readonly kind: "weekday";
      readonly month: number;
      readonly week: number;
      readonly weekday: number;
      readonly timeSeconds: number;
    }
  /** `Jn`: 1 to 365, February 29 is never counted. */
  | { readonly kind: "julian"; readonly day: number; readonly timeSeconds: number }
  /** `n`: 0 to 365, February 29 is counted. */
  | { readonly kind: "ordinal"; readonly day: number; readonly timeSeconds: number };

export type TimeZoneRefusal =
  | "time-zone-too-long"
  | "time-zone-name"
  | "time-zone-offset"
  | "daylight-name"
  | "daylight-offset"
  /**
   * A daylight name without rules: POSIX leaves the dates to the implementation, so we take none.
   */
  | "daylight-rules-missing"
  | "daylight-rule";

export type ParsedTimeZone =
  | { readonly ok: true; readonly zone: TimeZone }
  | { readonly ok: false; readonly reason: TimeZoneRefusal };

/** Zones of our days need up to 44 characters (Pacific/Chatham). */
export const timeZoneCharactersMax = 64;

export const utc: TimeZone = { text: "UTC0", standardSeconds: 0, daylight: null };

/**
 * Reads a TZ rule string. Names have 3 or more letters, or letters, digits and signs in `<>`;
 * offsets count west of UTC, up to 24 hours; times of rules reach from -167 to 167 hours (RFC 8536,
 * 3.3.1) and are 02:00 when left out.
 */
export function parseTimeZone(text: string): ParsedTimeZone {
  if (text.length > timeZoneCharactersMax) return refused("time-zone-too-long");
  const afterName = skipName(text);
  if (afterName === null) return refused("time-zone-name");
  const standard = takeTime(afterName, offsetHoursMax);
  if (standard === null) return refused("time-zone-offset");
  const standardSeconds = eastOf(standard.seconds);
  if (standard.rest === "") return { ok: true, zone: { text, standardSeconds, daylight: null } };
  const afterDaylightName = skipName(standard.rest);
  if (afterDaylightName === null) return refused("daylight-name");
  let rest = afterDaylightName;
  let offsetSeconds = standardSeconds + 3600; // XBD 8.3: one hour ahead when no offset follows
  if (rest !== "" && rest[0] !== ",") {
    const offset = takeTime(rest, offsetHoursMax);
    if (offset === null) return refused("daylight-offset");
    offsetSeconds = eastOf(offset.seconds);
    rest = offset.rest;
  }
  if (rest === "") return refused("daylight-rules-missing");
  const begins = takeRule(rest);
  const ends = begins === null ? null : takeRule(begins.rest);
  if (begins === null || ends === null || ends.rest !== "") return refused("daylight-rule");
  const daylight: Daylight = { offsetSeconds, begins: begins.rule, ends: ends.rule };
  return { ok: true, zone: { text, standardSeconds, daylight } };
}

/** Seconds east of UTC at an instant: local time = UTC + this. */
export function offsetSecondsAt(zone: TimeZone, unixSeconds: number): number {
  let offsetSeconds = zone.standardSeconds;
  for (const change of changesAround(zone, unixSeconds))
    if (change.atSeconds <= unixSeconds) offsetSeconds = change.offsetSeconds;
  return offsetSeconds;
}

/**
 * The next instant after this one at which the offset is another, in Unix seconds; null when it
 * stays as it is.
 */
export function nextChangeAfter(zone: TimeZone, unixSeconds: number): number | null {
  const now = offsetSecondsAt(zone, unixSeconds);
  const changes = changesAround(zone, unixSeconds);
  for (const { atSeconds } of changes)
    if (atSeconds > unixSeconds && offsetSecondsAt(zone, atSeconds) !== now) return atSeconds;
  return null;
}

const plainName: readonly Part[] = [[letters, 3, timeZoneCharactersMax]];
const quotedName: readonly Part[] = ["<", ["A-Za-z0-9+-", 3, timeZoneCharactersMax], ">"];
const hoursParts: readonly Part[] = [
  ["+-", 0, 1],
  [digits, 1, 3],
];
/** The parts of minutes and of seconds. */
const sixtiethsParts: readonly Part[] = [":", [digits, 2, 2]];
const weekdayParts: readonly Part[] = [
  ",M",
  [digits, 1, 2],
  ".",
  ["1-5", 1, 1],
  ".",
  ["0-6", 1, 1],
];
const dayParts: readonly Part[] = [",", ["J", 0, 1], [digits, 1, 3]];
const offsetHoursMax = 24;
const ruleHoursMax = 167;
const ruleSecondsDefault = 2 * 3600;
const daySeconds = 86_400;

function refused(reason: TimeZoneRefusal): ParsedTimeZone {
  return { ok: false, reason };
}

/** The text after a zone's name, or null when it does not begin with one. */
function skipName(text: string): string | null {
  const name = partsAtStart(text, plainName) ?? partsAtStart(text, quotedName);
  return name === null ? null : text.slice(name.length);
}

/** `[+-]hh[:mm[:ss]]` */
function takeTime(text: string, hoursMax: number): { seconds: number; rest: string } | null {
  const taken = partsAtStart(text, hoursParts);
  if (taken === null) return null;
  const [sign, hours] = taken.parts;
  let rest = text.slice(taken.length);
  let total = Number(hours) * 3600;
  for (const unitSeconds of [60, 1]) {
    const sixtieths = partsAtStart(rest, sixtiethsParts);
    if (sixtieths === null) break;
    const count = Number(sixtieths.parts[0]);
    if (count > 59) return null;
    total += count * unitSeconds;
    rest = rest.slice(sixtieths.length);
  }
  return total > hoursMax * 3600 ? null : { seconds: sign === "-" ? -total : total, rest };
}

/**
 * POSIX counts west of UTC, the rest of the world east. Never -0, so that equal zones compare
 * equal.
 */
function eastOf(westSeconds: number): number {
  return westSeconds === 0 ? 0 : -westSeconds;
}

function takeRule(text: string): { rule: ChangeRule; rest: string } | null {
  const day = takeRuleDay(text);
  if (day === null) return null;
  if (day.rest[0] !== "/")
    return { rule: { ...day.rule, timeSeconds: ruleSecondsDefault }, rest: day.rest };
  const time = takeTime(day.rest.slice(1), ruleHoursMax);
  if (time === null) return null;
  return { rule: { ...day.rule, timeSeconds: time.seconds }, rest: time.rest };
}

function takeRuleDay(text: string): { rule: ChangeRule; rest: string } | null {
  const weekday = partsAtStart(text, weekdayParts);
  if (weekday !== null) {
    const [month = 0, week = 0, day = 0] = weekday.parts.map(Number);
    if (month < 1 || month > 12) return null;
    const rest = text.slice(weekday.length);
    return { rule: { kind: "weekday", month, week, weekday: day, timeSeconds: 0 }, rest };
  }
  const counted = partsAtStart(text, dayParts);
  if (counted === null) return null;
  const kind = counted.parts[0] === "J" ? "julian" : "ordinal";
  const day = Number(counted.parts[1]);
  if (day > 365 || (kind === "julian" && day < 1)) return null;
  return { rule: { kind, day, timeSeconds: 0 }, rest: text.slice(counted.length) };
}

interface Change {
  readonly atSeconds: number;
  readonly offsetSeconds: number;
}

/**
 * The changes of the years around an instant, in order. A year's times may reach a week into its
 * neighbours, hence four years. Where daylight saving ends and begins at one instant it goes on: so
 * RFC 8536, 3.3.1 writes a permanent one.
 */
function changesAround(zone: TimeZone, unixSeconds: number): readonly Change[] {
  const { daylight, standardSeconds } = zone;
  if (daylight === null) return [];
  const year = yearOfDay(Math.floor((unixSeconds + standardSeconds) / daySeconds));
  const changes: Change[] = [];
  for (let each = year - 2; each <= year + 1; each += 1) {
    const endsLocal = localSecondsOf(daylight.ends, each);
    const beginsLocal = localSecondsOf(daylight.begins, each);
    changes.push({
      atSeconds: endsLocal - daylight.offsetSeconds,
      offsetSeconds: standardSeconds,
    });
    changes.push({
      atSeconds: beginsLocal - standardSeconds,
      offsetSeconds: daylight.offsetSeconds,
    });
  }
  const isDaylight = (change: Change): number =>
    change.offsetSeconds === daylight.offsetSeconds ? 1 : 0;
  return changes.sort((a, b) => a.atSeconds - b.atSeconds || isDaylight(a) - isDaylight(b));
}

/** When a rule strikes in a year, as seconds of local time since 1970. */
function localSecondsOf(rule: ChangeRule, year: number): number {
  return dayOf(rule, year) * daySeconds + rule.timeSeconds;
}

/** Days since 1970-01-01. */
function dayOf(rule: ChangeRule, year: number): number {
  const newYear = dayOfDate(year, 1);
  if (rule.kind === "ordinal") return newYear + rule.day;
  if (rule.kind === "julian") {
    const marchFirst = 60; // of the 365 days
    return newYear + rule.day - 1 + (isLeapYear(year) && rule.day >= marchFirst ? 1 : 0);
  }
  const first = dayOfDate(year, rule.month);
  const next = rule.month === 12 ? dayOfDate(year + 1, 1) : dayOfDate(year, rule.month + 1);
  const day = first + ((rule.weekday - weekdayOf(first) + 7) % 7) + 7 * (rule.week - 1);
  return day < next ? day : day - 7;
}

/** 0 is Sunday; 1970-01-01 was a Thursday. */
export function weekdayOf(daysSince1970: number): number {
  return (((daysSince1970 + 4) % 7) + 7) % 7;
}

const daysBeforeMonth = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334] as const;

/** The first day of a month in the Gregorian calendar, as days since 1970-01-01. */
function dayOfDate(year: number, month: number): number {
  const years = year - 1;
  const leapDays = Math.floor(years / 4) - Math.floor(years / 100) + Math.floor(years / 400);
  const daysBefore1970 = 719_162; // from 0001-01-01
  const leapDay = month > 2 && isLeapYear(year) ? 1 : 0;
  return years * 365 + leapDays - daysBefore1970 + (daysBeforeMonth[month - 1] ?? 0) + leapDay;
}

function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** The year of a day; the guess from the mean length of a year is at most one off. */
function yearOfDay(daysSince1970: number): number {
  const guess = 1970 + Math.floor(daysSince1970 / 365.2425);
  if (dayOfDate(guess, 1) > daysSince1970) return guess - 1;
  return dayOfDate(guess + 1, 1) <= daysSince1970 ? guess + 1 : guess;
}
