import type { WallClock } from "../../src/policy/windows.ts";

/** The time zone database that Node carries, as IANA names its editions, for example `2026c`. */
export const timeZoneDatabase: string = process.versions["tz"] ?? "unknown";

/**
 * The clock on the wall in a zone of the IANA database, by ECMA-402; null for a name that the
 * database does not have. Exact to the second of each change.
 */
export function databaseClock(name: string): WallClock | null {
  const known = clocks.get(name);
  if (known !== undefined) return known;
  if (clocks.size >= clocksMax) clocks.clear();
  const offsetAt = offsetReader(name);
  const clock = offsetAt && new DatabaseClock(offsetAt);
  clocks.set(name, clock);
  return clock;
}

/** More than the database has names; a name that devices spell otherwise counts as another. */
const clocksMax = 1024;
const clocks = new Map<string, WallClock | null>();

const yearsKeptMax = 16;
/** Years without a change after which none is expected. */
const yearsAheadMax = 2;
/** No zone changes its clock twice in a week: a change between two samples shows in them. */
const sampleSeconds = 7 * 86_400;

interface Change {
  readonly atSeconds: number;
  readonly offsetSeconds: number;
}

/** What a zone does in a year of UTC. */
interface Year {
  /** At its beginning. */
  readonly offsetSeconds: number;
  readonly changes: readonly Change[];
}

/** Asks the database once for each year, since every question costs microseconds. */
class DatabaseClock implements WallClock {
  readonly #offsetAt: (unixSeconds: number) => number;
  readonly #years = new Map<number, Year>();

  constructor(offsetAt: (unixSeconds: number) => number) {
    this.#offsetAt = offsetAt;
  }

  offsetSecondsAt(unixSeconds: number): number {
    const { changes, offsetSeconds } = this.#year(yearOf(unixSeconds));
    const last = changes.findLast(({ atSeconds }) => atSeconds <= unixSeconds);
    return last?.offsetSeconds ?? offsetSeconds;
  }

  nextChangeAfter(unixSeconds: number): number | null {
    const first = yearOf(unixSeconds);
    for (let year = first; year <= first + yearsAheadMax; year += 1) {
      const next = this.#year(year).changes.find(({ atSeconds }) => atSeconds > unixSeconds);
      if (next !== undefined) return next.atSeconds;
    }
    return null;
  }

  #year(year: number): Year {
    const known = this.#years.get(year);
    if (known !== undefined) return known;
    if (this.#years.size >= yearsKeptMax) this.#years.clear();
    const read = this.#readYear(Date.UTC(year, 0) / 1000, Date.UTC(year + 1, 0) / 1000);
    this.#years.set(year, read);
    return read;
  }

  /** The second before the year belongs to the search: a clock may change with the year. */
  #readYear(beginSeconds: number, endSeconds: number): Year {
    const changes: Change[] = [];
    const offsetSeconds = this.#offsetAt(beginSeconds - 1);
    let before = { atSeconds: beginSeconds - 1, offsetSeconds };
    while (before.atSeconds < endSeconds - 1) {
      const atSeconds = Math.min(before.atSeconds + sampleSeconds, endSeconds - 1);
      const after = { atSeconds, offsetSeconds: this.#offsetAt(atSeconds) };
      if (after.offsetSeconds !== before.offsetSeconds) changes.push(this.#between(before, after));
      before = after;
    }
    return { offsetSeconds, changes };
  }

  #between(before: Change, after: Change): Change {
    let [low, high] = [before.atSeconds, after.atSeconds];
    // Halved until one second is left: 20 times for a week.
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#offsetAt(middle) === before.offsetSeconds) low = middle;
      else high = middle;
    }
    return { atSeconds: high, offsetSeconds: this.#offsetAt(high) };
  }
}

function yearOf(unixSeconds: number): number {
  return new Date(unixSeconds * 1000).getUTCFullYear();
}

/** `GMT`, `GMT+05:30` or `GMT-00:44:30`, at the end of a date. */
const offsetPattern = /GMT(?:([+-])(\d\d):(\d\d)(?::(\d\d))?)?$/;

function offsetReader(name: string): ((unixSeconds: number) => number) | null {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", { timeZone: name, timeZoneName: "longOffset" });
  } catch {
    return null; // ECMA-402 has no other way to say that it does not know a zone
  }
  return (unixSeconds) => {
    const found = offsetPattern.exec(format.format(unixSeconds * 1000));
    if (found === null) throw new Error(`no offset in ${format.format(unixSeconds * 1000)}`);
    const [, sign, hours, minutes, seconds = "0"] = found;
    if (sign === undefined) return 0;
    const size = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
    return sign === "-" ? -size : size;
  };
}
