import { digits, letters, type Part, partsOf } from "../image/text-parts.ts";

const two: Part = [digits, 2, 2];
const four: Part = [digits, 4, 4];
const word: Part = [letters, 3, 3];
const time: readonly Part[] = [two, ":", two, ":", two];

/** `Sun, 06 Nov 1994 08:49:37 GMT`, as every sender writes it. */
const fixed: readonly Part[] = [word, ", ", two, " ", word, " ", four, " ", ...time, " GMT"];
/** `Sunday, 06-Nov-94 08:49:37 GMT` */
const ofRfc850: readonly Part[] = [
  [letters, 6, 9],
  ", ",
  two,
  "-",
  word,
  "-",
  two,
  " ",
  ...time,
  " GMT",
];
/** `Sun Nov  6 08:49:37 1994` */
const ofAsctime: readonly Part[] = [word, " ", word, " ", [" 0-9", 2, 2], " ", ...time, " ", four];

const months = "janfebmaraprmayjunjulaugsepoctnovdec";
/** A year of two digits from here on is one of the last century. */
const centuryYear = 70;

/**
 * Milliseconds since 1970 of a date in any of the three forms of RFC 9110, 5.6.7; null for any
 * other text.
 */
export function parseHttpDate(text: string): number | null {
  const whole = partsOf(text, fixed);
  if (whole !== null) {
    const [, day = "", month = "", year = "", ...clock] = whole;
    return unixMsOf(Number(year), month, Number(day), clock);
  }
  const old = partsOf(text, ofRfc850);
  if (old !== null) {
    const [, day = "", month = "", shortYear = "", ...clock] = old;
    const year = Number(shortYear);
    return unixMsOf(year + (year < centuryYear ? 2000 : 1900), month, Number(day), clock);
  }
  const oldest = partsOf(text, ofAsctime);
  if (oldest === null) return null;
  const [, month = "", day = "", hour = "", minute = "", second = "", year = ""] = oldest;
  return unixMsOf(Number(year), month, Number(day.trim()), [hour, minute, second]);
}

function unixMsOf(
  year: number,
  monthName: string,
  day: number,
  clock: readonly string[],
): number | null {
  const at = months.indexOf(monthName.toLowerCase());
  const [hour = 24, minute = 60, second = 61] = clock.map(Number);
  if (at < 0 || at % 3 !== 0 || hour > 23 || minute > 59 || second > 60) return null;
  const unixMs = Date.UTC(year, at / 3, day, hour, minute, second);
  const isDay = new Date(Date.UTC(year, at / 3, day)).getUTCDate() === day;
  return Number.isFinite(unixMs) && isDay ? unixMs : null;
}
