import { nextChangeAfter, offsetSecondsAt, parseTimeZone } from "../../src/policy/time-zone.ts";
import type { WallClock } from "../../src/policy/windows.ts";
import { databaseClock, timeZoneDatabase } from "./database-clock.ts";

export type PosixRule =
  | { readonly ok: true; readonly rule: string }
  | {
      readonly ok: false;
      readonly reason: "time-zone-unknown" | "no-posix-rule";
      readonly message: string;
    };

/** A rule has to hold for so long. */
export const ruleYears = 10;

/**
 * The POSIX TZ rule that tells the time of an IANA zone for the ten years from an instant on,
 * derived from the changes that the time zone database has for them. Zones whose changes follow
 * another calendar, such as Africa/Casablanca, have none.
 */
export function posixRuleOf(name: string, fromUnixMs: number): PosixRule {
  const clock = databaseClock(name);
  if (clock === null)
    return {
      ok: false,
      reason: "time-zone-unknown",
      message: `the time zone database ${timeZoneDatabase} has no zone "${name}"; an IANA name is for example Europe/Berlin`,
    };
  const from = Math.floor(fromUnixMs / 1000);
  const changes = changesOf(clock, from);
  const rule = ruleOf(clock.offsetSecondsAt(from), changes);
  if (rule !== null && tells(rule, { clock, from, changes })) return { ok: true, rule };
  return {
    ok: false,
    reason: "no-posix-rule",
    message: `no POSIX rule tells the time of ${name} for the next ${ruleYears} years; keep the windows of its devices on the server, with \`"timeZone": "device"\``,
  };
}

/** A change of the clock on the wall, at a local time by the clock that was valid until then. */
interface Change {
  readonly atSeconds: number;
  readonly localSeconds: number;
  readonly offsetSeconds: number;
}

/** A zone with a rule changes twice a year; one that changes more often has none. */
const changesMax = 2 * (ruleYears + 1);

function endOf(fromSeconds: number): number {
  const date = new Date(fromSeconds * 1000);
  return date.setUTCFullYear(date.getUTCFullYear() + ruleYears) / 1000;
}

function changesOf(clock: WallClock, from: number): readonly Change[] {
  const changes: Change[] = [];
  for (let at = clock.nextChangeAfter(from); at !== null && at < endOf(from); ) {
    const before = clock.offsetSecondsAt(at - 1);
    const offsetSeconds = clock.offsetSecondsAt(at);
    changes.push({ atSeconds: at, localSeconds: at + before, offsetSeconds });
    if (changes.length > changesMax) break;
    at = clock.nextChangeAfter(at);
  }
  return changes;
}

function ruleOf(offsetNow: number, changes: readonly Change[]): string | null {
  if (changes.length === 0) return offsetNow === 0 ? "UTC0" : zoneText(offsetNow);
  const offsets = changes.map(({ offsetSeconds }) => offsetSeconds);
  const standard = Math.min(offsetNow, ...offsets);
  const daylight = Math.max(offsetNow, ...offsets);
  const begins = dayRuleOf(changes.filter(({ offsetSeconds }) => offsetSeconds === daylight));
  const ends = dayRuleOf(changes.filter(({ offsetSeconds }) => offsetSeconds === standard));
  if (begins === null || ends === null) return null;
  const isHourAhead = daylight === standard + 3600; // what POSIX takes without an offset
  const daylightText = isHourAhead ? nameOf(daylight) : zoneText(daylight);
  return `${zoneText(standard)}${daylightText},${begins},${ends}`;
}

/** A rule that is written counts for the device only as its own reader takes it. */
function tells(
  rule: string,
  {
    clock,
    from,
    changes,
  }: {
    readonly clock: WallClock;
    readonly from: number;
    readonly changes: readonly Change[];
  },
): boolean {
  const parsed = parseTimeZone(rule);
  if (!parsed.ok) return false;
  const { zone } = parsed;
  let at = from;
  for (const { atSeconds, offsetSeconds } of changes) {
    if (offsetSecondsAt(zone, at) !== clock.offsetSecondsAt(at)) return false;
    if (nextChangeAfter(zone, at) !== atSeconds) return false;
    if (offsetSecondsAt(zone, atSeconds) !== offsetSeconds) return false;
    at = atSeconds;
  }
  const next = nextChangeAfter(zone, at);
  return (
    offsetSecondsAt(zone, at) === clock.offsetSecondsAt(at) && (next ?? endOf(from)) >= endOf(from)
  );
}

const daySeconds = 86_400;
/** A rule may name a day so far off the change, with a time under 0 or over 24 hours. */
const dayShifts = [0, -1, 1, -2, 2, -3, 3, -4, 4, -5, 5, -6, 6];

/** `Mm.w.d/time` or `Jn/time` for changes of which each year has one; null when none fits all. */
function dayRuleOf(changes: readonly Change[]): string | null {
  for (const shift of dayShifts) {
    const days = changes.map(({ localSeconds }) => dayOf(localSeconds, shift));
    const [first] = days;
    if (first === undefined || days.some(({ timeSeconds }) => timeSeconds !== first.timeSeconds))
      return null;
    const time = first.timeSeconds === 2 * 3600 ? "" : `/${timeText(first.timeSeconds)}`;
    const isSameDay = days.every(
      (day) => day.month === first.month && day.weekday === first.weekday,
    );
    const week = [1, 2, 3, 4, 5].find((each) => days.every(({ weeks }) => weeks.includes(each)));
    if (isSameDay && week !== undefined) return `M${first.month}.${week}.${first.weekday}${time}`;
    const isSameDate = days.every((day) => day.month === first.month && day.date === first.date);
    if (isSameDate && !(first.month === 2 && first.date === 29))
      return `J${julianOf(first.month, first.date)}${time}`;
  }
  return null;
}

function dayOf(localSeconds: number, shift: number) {
  const day = Math.floor(localSeconds / daySeconds) + shift;
  const date = new Date(day * daySeconds * 1000);
  const dayOfMonth = date.getUTCDate();
  const isLast = new Date((day + 7) * daySeconds * 1000).getUTCMonth() !== date.getUTCMonth();
  const week = Math.ceil(dayOfMonth / 7);
  return {
    month: date.getUTCMonth() + 1,
    date: dayOfMonth,
    weekday: date.getUTCDay(),
    weeks: isLast ? [week, 5] : [week],
    timeSeconds: localSeconds - day * daySeconds,
  };
}

/** Counted in a year of 365 days. */
function julianOf(month: number, date: number): number {
  return (Date.UTC(2001, month - 1, date) - Date.UTC(2001, 0)) / (daySeconds * 1000) + 1;
}

/** `<+0530>-5:30`: a name that tells the offset east, and POSIX's offset west. */
function zoneText(offsetSeconds: number): string {
  return `${nameOf(offsetSeconds)}${timeText(offsetSeconds === 0 ? 0 : -offsetSeconds)}`;
}

function nameOf(offsetSeconds: number): string {
  const minutes = Math.floor(Math.abs(offsetSeconds) / 60);
  const rest = minutes % 60 === 0 ? "" : two(minutes % 60);
  return `<${offsetSeconds < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}${rest}>`;
}

function timeText(seconds: number): string {
  const size = Math.abs(seconds);
  const parts = [Math.floor(size / 3600), Math.floor(size / 60) % 60, size % 60];
  while (parts.length > 1 && parts.at(-1) === 0) parts.pop();
  const [hours = 0, ...rest] = parts;
  return `${seconds < 0 ? "-" : ""}${[hours, ...rest.map(two)].join(":")}`;
}

function two(part: number): string {
  return String(part).padStart(2, "0");
}
