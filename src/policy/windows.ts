import { digits, partsOf } from "../image/text-parts.ts";
import {
  arrayAt,
  integerAt,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  stringAt,
} from "../protocol/json.ts";
import {
  nextChangeAfter,
  offsetSecondsAt,
  parseTimeZone,
  type TimeZone,
  type TimeZoneRefusal,
  timeZoneCharactersMax,
  utc,
  weekdayOf,
} from "./time-zone.ts";

/**
 * A stretch of the local week that comes again every week. What counts is the clock on the wall in
 * the device's zone: the window is open while that clock shows a time from `startMinute` of one of
 * the days up to, not including, `durationMinutes` later. So it may run over midnight and over the
 * end of the week, and when the clocks change
 * - a part that falls into the hour that is left out does not happen: a window that lies wholly in
 *   it is skipped once;
 * - a part that falls into the hour that comes twice is open both times.
 */
export interface MaintenanceWindow {
  /** Bit 0 is Sunday, bit 6 Saturday: the days on which it opens. */
  readonly days: number;
  /** The minute of the local day at which the window opens, 0 to 1,439. */
  readonly startMinute: number;
  /** 1 to 10,080, a week. */
  readonly durationMinutes: number;
}

/**
 * Windows of one step. Null is "not configured": always open, with or without a clock. An empty
 * list is configured and never open: a freeze, which only a forced security fix gets through.
 */
export type WindowList = readonly MaintenanceWindow[] | null;

/** When this device may download and when it may install (swap and reboot). */
export interface MaintenanceWindows {
  readonly zone: TimeZone;
  readonly download: WindowList;
  readonly install: WindowList;
}

/** Nothing is configured: both steps at any time. */
export const noWindows: MaintenanceWindows = { zone: utc, download: null, install: null };

export type WindowStep = "download" | "install";

/**
 * A security fix may override the windows: the server asks for it and the signed release allows it,
 * both.
 */
export interface ForcedFix {
  /** The deployment of the server is a forced one. */
  readonly byServer: boolean;
  /**
   * The release's signed metadata says that it may be forced; false when there is no such metadata.
   */
  readonly bySignedRelease: boolean;
}

export type WindowDecision =
  /** `overridden`: the window is closed, but the fix is forced. */
  | { readonly allowed: true; readonly overridden: boolean }
  | {
      readonly allowed: false;
      /** `no-clock`: windows are configured and the device does not know the time. */
      readonly reason: "window-closed" | "no-clock";
      /** Null when none comes, or without a clock. */
      readonly opensAtUnixMs: number | null;
    };

/** May a step begin now? `unixMs` is null while the device does not know the time. */
export function decideWindow(
  step: WindowStep,
  windows: MaintenanceWindows,
  unixMs: number | null,
  fix: ForcedFix,
): WindowDecision {
  const list = windows[step];
  if (isOpen(list, windows.zone, unixMs)) return { allowed: true, overridden: false };
  if (fix.byServer && fix.bySignedRelease) return { allowed: true, overridden: true };
  if (unixMs === null) return { allowed: false, reason: "no-clock", opensAtUnixMs: null };
  const opensAtUnixMs = nextOpening(list, windows.zone, unixMs);
  return { allowed: false, reason: "window-closed", opensAtUnixMs };
}

/** The clock on the wall of a place, wherever its rules come from. Times are in seconds. */
export interface WallClock {
  /** East of UTC: local time = UTC + this. */
  offsetSecondsAt(unixSeconds: number): number;
  /** The next instant at which the offset is another; null when none is known. */
  nextChangeAfter(unixSeconds: number): number | null;
}

export function wallClockOf(zone: TimeZone): WallClock {
  return {
    offsetSecondsAt: (unixSeconds) => offsetSecondsAt(zone, unixSeconds),
    nextChangeAfter: (unixSeconds) => nextChangeAfter(zone, unixSeconds),
  };
}

/**
 * Is one of the windows open? Without a clock none is, unless windows are not configured at all.
 */
export function isOpen(windows: WindowList, zone: TimeZone, unixMs: number | null): boolean {
  return isOpenBy(windows, wallClockOf(zone), unixMs);
}

export function isOpenBy(windows: WindowList, wall: WallClock, unixMs: number | null): boolean {
  if (windows === null) return true;
  if (unixMs === null || !Number.isFinite(unixMs)) return false;
  const second = secondOfWeek(wall, Math.floor(unixMs / 1000));
  return windows.some((window) => isInside(window, second));
}

/** Changes of the clock that `nextOpening` looks past: two years of a zone with daylight saving. */
const changesMax = 4;

/**
 * The first instant from `unixMs` on at which one of the windows is open: `unixMs` itself when one
 * is. Null when there is none within the next four changes of the clock (for real zones: only for
 * an empty list) or without a clock.
 */
export function nextOpening(
  windows: WindowList,
  zone: TimeZone,
  unixMs: number | null,
): number | null {
  return nextOpeningBy(windows, wallClockOf(zone), unixMs);
}

export function nextOpeningBy(
  windows: WindowList,
  wall: WallClock,
  unixMs: number | null,
): number | null {
  if (unixMs === null || !Number.isFinite(unixMs)) return null;
  if (isOpenBy(windows, wall, unixMs)) return unixMs;
  let fromSeconds = Math.floor(unixMs / 1000);
  for (let changes = 0; changes <= changesMax; changes += 1) {
    // Up to the next change the offset stands still, so the next start by the wall clock is the
    // next opening.
    const candidate = fromSeconds + secondsToStart(windows ?? [], secondOfWeek(wall, fromSeconds));
    const change = wall.nextChangeAfter(fromSeconds);
    if (change === null || candidate < change)
      return Number.isFinite(candidate) ? candidate * 1000 : null;
    if (isOpenBy(windows, wall, change * 1000)) return change * 1000;
    fromSeconds = change;
  }
  return null;
}

export type WindowsRefusal =
  | TimeZoneRefusal
  | "time-zone-missing"
  | "too-many-windows"
  | "malformed-windows"
  | "malformed-days"
  | "malformed-start"
  | "malformed-minutes";

export type DecodedWindows =
  | { readonly ok: true; readonly windows: MaintenanceWindows }
  /** `at` names the member, for example `install[2].start`. */
  | { readonly ok: false; readonly reason: WindowsRefusal; readonly at: string };

/** Windows of one step that a document may hold. */
export const windowsMax = 16;

/**
 * Reads the windows document:
 *
 *   { "timeZone": "CET-1CEST,M3.5.0,M10.5.0/3",
 *     "download": [{ "days": ["sat", "sun"], "start": "22:00", "minutes": 480 }],
 *     "install": [{ "days": ["sun"], "start": "02:00", "minutes": 120 }] }
 *
 * A step that is missing or null is not configured; an empty list is never open. Members that it
 * does not know are ignored.
 */
export function decodeWindows(document: JsonObject): DecodedWindows {
  const text = stringAt(document, "timeZone", timeZoneCharactersMax + 1);
  if (text === null) return { ok: false, reason: "time-zone-missing", at: "timeZone" };
  const parsed = parseTimeZone(text);
  if (!parsed.ok) return { ok: false, reason: parsed.reason, at: "timeZone" };
  const download = decodeList(document, "download");
  if (!download.ok) return download;
  const install = decodeList(document, "install");
  if (!install.ok) return install;
  return {
    ok: true,
    windows: { zone: parsed.zone, download: download.list, install: install.list },
  };
}

/** The document that `decodeWindows` reads back as the same value. */
export function encodeWindows(windows: MaintenanceWindows): JsonObject {
  const encodeList = (list: WindowList): JsonValue =>
    list === null ? null : list.map((window) => encodeWindow(window));
  return {
    timeZone: windows.zone.text,
    download: encodeList(windows.download),
    install: encodeList(windows.install),
  };
}

const daySeconds = 86_400;
export const weekSeconds = 7 * daySeconds;
const weekMinutes = weekSeconds / 60;

/** From Sunday 00:00 by the clock on the wall. */
export function secondOfWeek(wall: WallClock, unixSeconds: number): number {
  const local = unixSeconds + wall.offsetSecondsAt(unixSeconds);
  const day = Math.floor(local / daySeconds);
  return weekdayOf(day) * daySeconds + (local - day * daySeconds);
}

function isInside(window: MaintenanceWindow, second: number): boolean {
  return startsOf(window).some(
    (start) => (second - start + weekSeconds) % weekSeconds < window.durationMinutes * 60,
  );
}

function secondsToStart(windows: readonly MaintenanceWindow[], second: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (const window of windows)
    for (const start of startsOf(window))
      least = Math.min(least, (start - second + weekSeconds) % weekSeconds);
  return least;
}

/** Seconds of the week, one for each of its days. */
export function startsOf(window: MaintenanceWindow): readonly number[] {
  const starts: number[] = [];
  for (let day = 0; day < 7; day += 1)
    if ((window.days & (1 << day)) !== 0) starts.push(day * daySeconds + window.startMinute * 60);
  return starts;
}

const dayNames: readonly string[] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

type Refused = Extract<DecodedWindows, { ok: false }>;

function refused(reason: WindowsRefusal, at: string): Refused {
  return { ok: false, reason, at };
}

function decodeList(
  document: JsonObject,
  step: WindowStep,
): { readonly ok: true; readonly list: WindowList } | Refused {
  if (!Object.hasOwn(document, step) || document[step] === null) return { ok: true, list: null };
  const values = arrayAt(document, step, Number.MAX_SAFE_INTEGER);
  if (values === null) return refused("malformed-windows", step);
  if (values.length > windowsMax) return refused("too-many-windows", step);
  const list: MaintenanceWindow[] = [];
  for (const [index, value] of values.entries()) {
    const decoded = decodeWindow(value, `${step}[${index}]`);
    if (!decoded.ok) return decoded;
    list.push(decoded.window);
  }
  return { ok: true, list };
}

function decodeWindow(
  value: JsonValue,
  at: string,
): { readonly ok: true; readonly window: MaintenanceWindow } | Refused {
  if (!isJsonObject(value)) return refused("malformed-windows", at);
  const days = decodeDays(value);
  if (days === null) return refused("malformed-days", `${at}.days`);
  const startMinute = decodeStart(stringAt(value, "start", 5));
  if (startMinute === null) return refused("malformed-start", `${at}.start`);
  const durationMinutes = integerAt(value, "minutes", 1, weekMinutes);
  if (durationMinutes === null) return refused("malformed-minutes", `${at}.minutes`);
  return { ok: true, window: { days, startMinute, durationMinutes } };
}

/** At least one day; a day that is named twice counts once. */
function decodeDays(object: JsonObject): number | null {
  const names = arrayAt(object, "days", dayNames.length);
  if (names === null || names.length === 0) return null;
  let days = 0;
  for (const name of names) {
    const day = typeof name === "string" ? dayNames.indexOf(name) : -1;
    if (day < 0) return null;
    days |= 1 << day;
  }
  return days;
}

/** `HH:MM` */
function decodeStart(text: string | null): number | null {
  const parts = text === null ? null : partsOf(text, [[digits, 2, 2], ":", [digits, 2, 2]]);
  if (parts === null) return null;
  const [hour = 0, minute = 0] = parts.map(Number);
  return hour < 24 && minute < 60 ? hour * 60 + minute : null;
}

function encodeWindow(window: MaintenanceWindow): JsonObject {
  const two = (part: number): string => String(part).padStart(2, "0");
  return {
    days: dayNames.filter((_, day) => (window.days & (1 << day)) !== 0),
    start: `${two(Math.floor(window.startMinute / 60))}:${two(window.startMinute % 60)}`,
    minutes: window.durationMinutes,
  };
}
