import {
  isOpenBy,
  nextOpeningBy,
  secondOfWeek,
  startsOf,
  type WallClock,
  type WindowList,
  type WindowStep,
  weekSeconds,
} from "../../../src/policy/windows.ts";
import { databaseClock } from "../../time-zones/database-clock.ts";
import type { RolloutWindows, StepWindows, WindowZone } from "./windows-document.ts";

/** Where a device is, for windows. */
export interface WindowPlace {
  /** An IANA name, or null for a device of which nobody said it. */
  readonly timezone: string | null;
  readonly groups: readonly string[];
}

/** All the windows that count for the devices of a rollout. */
export interface FleetWindows {
  /** Null for a rollout without windows of its own. */
  readonly rollout: RolloutWindows | null;
  /** By group, for every rollout. */
  readonly groups: ReadonlyMap<string, StepWindows>;
}

export interface WindowVerdict {
  /** Null when no windows are configured for the step: it may be taken at any time. */
  readonly open: boolean | null;
  /** The verdict holds from the instant of the question until then; null: until something else. */
  readonly untilUnixMs: number | null;
}

/** May the device take the step now, as far as windows go? */
export function judgeWindow(
  step: WindowStep,
  windows: FleetWindows,
  place: WindowPlace,
  nowUnixMs: number,
): WindowVerdict {
  const counting = countingWindows(step, windows, place);
  if (counting.length === 0) return { open: null, untilUnixMs: null };
  const nexts = counting.flatMap(({ list, wall }) => nextEdge(list, wall, nowUnixMs) ?? []);
  return {
    open: counting.every(({ list, wall }) => isOpenAt(list, wall, nowUnixMs)),
    untilUnixMs: nexts.length === 0 ? null : Math.min(...nexts),
  };
}

/**
 * The first instant from now on at which the device may take the step: now when it may. Null when
 * none comes: a freeze, windows that have no hour in common, or a device without a time zone.
 */
export function windowOpens(
  step: WindowStep,
  windows: FleetWindows,
  place: WindowPlace,
  nowUnixMs: number,
): number | null {
  const counting = countingWindows(step, windows, place);
  let atUnixMs = nowUnixMs;
  for (let turn = 0; turn < openingsMax; turn += 1) {
    const from = atUnixMs;
    for (const { list, wall } of counting) {
      const opens = wall && nextOpeningBy(list, wall, atUnixMs);
      if (opens === null) return null;
      atUnixMs = opens;
    }
    if (atUnixMs === from) return atUnixMs;
  }
  return null;
}

/** More openings than two full lists have in two weeks. */
const openingsMax = 512;

/**
 * When the windows of a rollout to install open next, where all devices have them at one time. Null
 * when they are open, or none ever come.
 */
export function nextOpeningOf(windows: RolloutWindows, nowUnixMs: number): number | null {
  if (windows.zone.kind === "device") return null;
  const place = { timezone: null, groups: [] };
  const opens = windowOpens("install", { rollout: windows, groups: new Map() }, place, nowUnixMs);
  return opens === nowUnixMs ? null : opens;
}

export interface PlaceCount extends WindowPlace {
  readonly devices: number;
}

export interface LastOpening {
  /**
   * When the last device can have downloaded and may install: the first window to install from the
   * first to download on, at the latest place. Null when there is no place where both come.
   */
  readonly lastOpensAtUnixMs: number | null;
  /** Devices that wait for a time zone: nobody said theirs, and the windows have no fallback. */
  readonly withoutTimeZone: number;
  /** Devices with a time zone whose windows never open: a freeze, or no hour in common. */
  readonly neverOpen: number;
}

/** When the last device's window will have come, of devices counted by their places. */
export function lastWindowOpens(
  counts: Iterable<PlaceCount>,
  windows: FleetWindows,
  nowUnixMs: number,
): LastOpening {
  let lastOpensAtUnixMs: number | null = null;
  let [withoutTimeZone, neverOpen] = [0, 0];
  for (const place of counts) {
    if (place.devices === 0) continue;
    const downloads = windowOpens("download", windows, place, nowUnixMs);
    const opens = downloads === null ? null : windowOpens("install", windows, place, downloads);
    if (opens !== null) lastOpensAtUnixMs = Math.max(lastOpensAtUnixMs ?? opens, opens);
    else if (lacksZone(windows, place)) withoutTimeZone += place.devices;
    else neverOpen += place.devices;
  }
  return { lastOpensAtUnixMs, withoutTimeZone, neverOpen };
}

function lacksZone(windows: FleetWindows, place: WindowPlace): boolean {
  return (["download", "install"] as const).some((step) =>
    countingWindows(step, windows, place).some(({ wall }) => wall === null),
  );
}

interface CountingWindows {
  readonly list: WindowList;
  /** Null where the device's own zone counts and is not known. */
  readonly wall: WallClock | null;
}

/**
 * Every list that counts must be open. Those of the device's groups count, the fleet's and the
 * rollout's; the rollout's own where no group has any for the step.
 */
function countingWindows(
  step: WindowStep,
  { rollout, groups }: FleetWindows,
  place: WindowPlace,
): readonly CountingWindows[] {
  const ofGroups = place.groups.flatMap((name) =>
    [groups.get(name), rollout?.groups.get(name)].flatMap((found) => found ?? []),
  );
  const saying = ofGroups.filter((windows) => windows[step] !== null);
  const own = rollout === null || rollout[step] === null ? [] : [rollout];
  return (saying.length > 0 ? saying : own).map((windows) => ({
    list: windows[step],
    wall: wallAt(windows.zone, place),
  }));
}

function wallAt(zone: WindowZone, { timezone }: WindowPlace): WallClock | null {
  if (zone.kind === "everywhere") return zone.wall;
  return (timezone === null ? null : databaseClock(timezone)) ?? zone.fallback;
}

function isOpenAt(list: WindowList, wall: WallClock | null, nowUnixMs: number): boolean {
  return wall !== null && isOpenBy(list, wall, nowUnixMs);
}

/** The next instant at which a window may open or close: nothing changes before it. */
function nextEdge(list: WindowList, wall: WallClock | null, nowUnixMs: number): number | null {
  if (wall === null || list === null || list.length === 0) return null;
  const now = Math.floor(nowUnixMs / 1000);
  const second = secondOfWeek(wall, now);
  let least = weekSeconds;
  // An edge that is now comes again in a week.
  for (const window of list)
    for (const start of startsOf(window))
      for (const edge of [start, start + window.durationMinutes * 60])
        least = Math.min(least, ((edge - second - 1 + 2 * weekSeconds) % weekSeconds) + 1);
  const change = wall.nextChangeAfter(now);
  return Math.min(now + least, change ?? Number.POSITIVE_INFINITY) * 1000;
}
