import type { ResetReason } from "../ports/board.ts";
import {
  type CountedReset,
  countedResetsMax,
  elapsedSecondsMax,
  freshBoot,
  type StabilityHistory,
} from "./stability-history.ts";
import type { ResetRule, StabilitySettings } from "./stability-settings.ts";

export interface Moment {
  readonly uptimeMs: number;
  /** Null without a valid clock. */
  readonly unixMs: number | null;
}

/** Time passed within this boot. */
export function pass(before: StabilityHistory, moment: Moment): StabilityHistory {
  const uptimeSeconds = seconds(moment.uptimeMs);
  const ranSeconds = Math.max(0, uptimeSeconds - before.boot.uptimeSeconds);
  const boot = { ...before.boot, uptimeSeconds: before.boot.uptimeSeconds + ranSeconds };
  const elapsedSeconds = Math.min(before.elapsedSeconds + ranSeconds, elapsedSecondsMax);
  return { ...before, elapsedSeconds, unixSeconds: secondsOrNull(moment.unixMs), boot };
}

/** Clocks that count whole seconds may differ by this much without running backwards. */
const clockSlackSeconds = 2;

/**
 * A new boot: how long ago the history was stored is known by the wall clock, or bounded by the
 * checkpoints.
 */
export function boot(
  before: StabilityHistory,
  reason: ResetReason,
  moment: Moment,
  settings: StabilitySettings,
): StabilityHistory {
  const uptimeSeconds = seconds(moment.uptimeMs);
  const unixSeconds = secondsOrNull(moment.unixMs);
  const byClockSeconds =
    unixSeconds === null || before.unixSeconds === null
      ? Number.NEGATIVE_INFINITY
      : unixSeconds - uptimeSeconds - before.unixSeconds;
  const unrecordedSeconds = isPlanned(before, reason)
    ? 0
    : (nextMark(before, before.elapsedSeconds, settings) ?? before.elapsedSeconds) -
      before.elapsedSeconds;
  const isTold = byClockSeconds >= -clockSlackSeconds;
  const soakedMaxSeconds = reason === "deep-sleep" ? sleptSecondsMax(before, settings) : 0;
  const gapMaxSeconds = Math.max(soakedMaxSeconds, partingSeconds(settings));
  const gapSeconds = isTold
    ? Math.min(Math.max(0, byClockSeconds), gapMaxSeconds)
    : unrecordedSeconds;
  const unseenSeconds = isTold ? Math.max(0, gapSeconds - soakedMaxSeconds) : 0;
  const storedFailure = hasFailure(before);
  const { elapsedSeconds: storedAtSeconds } = before;
  const now = later(before, gapSeconds + uptimeSeconds);
  return {
    ...now,
    unseenSeconds: Math.min(before.unseenSeconds + unseenSeconds, now.elapsedSeconds),
    unixSeconds,
    boot: { ...freshBoot, uptimeSeconds, storedAtSeconds, storedFailure },
  };
}

/**
 * Between two stored histories: sleeps one after the other, up to the next checkpoint, and one
 * more.
 */
function sleptSecondsMax(history: StabilityHistory, settings: StabilitySettings): number {
  const { longestSleepSeconds } = history;
  return longestSleepSeconds > 0 ? longestSleepSeconds + partSeconds(settings) : 0;
}

/** Resets that are further apart are neighbours by no rule. */
function partingSeconds({ reboots, watchdogResets }: StabilitySettings): number {
  return seconds(Math.max(reboots?.windowMs ?? 0, watchdogResets?.windowMs ?? 0)) + 1;
}

/** Announced, and it went as announced: a crash on the way down still counts. */
export function isPlanned(before: StabilityHistory, reason: ResetReason): boolean {
  if (reason === "deep-sleep") return true;
  return before.restartPlanned && (reason === "software" || reason === "unknown");
}

/** Time passed in which nothing was observed: failures that go on do not grow older by it. */
export function later(history: StabilityHistory, bySeconds: number): StabilityHistory {
  const elapsedSeconds = Math.min(history.elapsedSeconds + bySeconds, elapsedSecondsMax);
  const shiftSeconds = elapsedSeconds - history.elapsedSeconds;
  const shifted = (since: number | null): number | null =>
    since === null ? null : since + shiftSeconds;
  return {
    ...history,
    elapsedSeconds,
    unixSeconds: history.unixSeconds === null ? null : history.unixSeconds + shiftSeconds,
    failingSinceSeconds: shifted(history.failingSinceSeconds),
    noServerSinceSeconds: shifted(history.noServerSinceSeconds),
  };
}

/** The soak is stored in this many parts. */
const soakParts = 12;

export function isCheckpointDue(history: StabilityHistory, settings: StabilitySettings): boolean {
  const { storedAtSeconds } = history.boot;
  const mark = nextMark(history, storedAtSeconds, settings);
  const part = storedAtSeconds + partSeconds(settings);
  return history.elapsedSeconds >= Math.min(mark ?? part, part);
}

/**
 * The next time after `fromSeconds` at which it has to be known that the device still runs, so that
 * the next reset is not taken for a neighbour of the last: null when they are far enough apart for
 * every rule.
 */
function nextMark(
  history: StabilityHistory,
  fromSeconds: number,
  settings: StabilitySettings,
): number | null {
  const last = history.resets[history.resets.length - 1];
  const lastWatchdog = history.resets.findLast(({ byWatchdog }) => byWatchdog);
  const marks = [
    ...marksAfter(last, settings.reboots),
    ...marksAfter(lastWatchdog, settings.watchdogResets),
  ].filter((mark) => mark > fromSeconds);
  return marks.length === 0 ? null : Math.min(...marks);
}

/**
 * Resets as far apart as the window's share would just not be too many: half of it, each of it, up
 * to the window.
 */
function marksAfter(reset: CountedReset | undefined, rule: ResetRule | null): readonly number[] {
  if (reset === undefined || rule === null) return [];
  const shares = Math.max(1, Math.min(rule.count, countedResetsMax - 1));
  const shareSeconds = seconds(rule.windowMs) / shares;
  const marks = [Math.ceil(reset.atSeconds + shareSeconds / 2)];
  for (let share = 1; share <= shares; share += 1)
    marks.push(Math.ceil(reset.atSeconds + share * shareSeconds));
  return marks;
}

/** A failure that flaps is stored this often in a boot. */
const failureStoresMax = 4;

/** A failure is stored once it has lasted half its limit, and once more when it is over. */
export function isFailureDue(history: StabilityHistory, settings: StabilitySettings): boolean {
  const { storedFailure, failureStores } = history.boot;
  if (storedFailure) return !hasFailure(history);
  if (failureStores >= failureStoresMax) return false;
  const isHalfWay = (since: number | null, limitMs: number | null): boolean =>
    since !== null && limitMs !== null && history.elapsedSeconds - since >= seconds(limitMs) / 2;
  return (
    isHalfWay(history.failingSinceSeconds, settings.healthFailingMs) ||
    isHalfWay(history.noServerSinceSeconds, settings.noServerMs)
  );
}

export function hasFailure(history: StabilityHistory): boolean {
  return history.failingSinceSeconds !== null || history.noServerSinceSeconds !== null;
}

/** The image ran, or slept as planned, for the time of the soak. */
export function isSoakOver(history: StabilityHistory, settings: StabilitySettings): boolean {
  const { elapsedSeconds, unseenSeconds } = history;
  const isSoaked = elapsedSeconds - unseenSeconds >= soakSeconds(settings);
  return isSoaked || elapsedSeconds >= elapsedSecondsMax; // no more can be counted
}

function partSeconds(settings: StabilitySettings): number {
  return Math.ceil(soakSeconds(settings) / soakParts);
}

function soakSeconds(settings: StabilitySettings): number {
  return Math.min(seconds(settings.soakMs), elapsedSecondsMax);
}

export function seconds(milliseconds: number): number {
  return Math.max(0, Math.floor(milliseconds / 1000));
}

export function secondsOrNull(milliseconds: number | null): number | null {
  return milliseconds === null || milliseconds < 0 ? null : Math.floor(milliseconds / 1000);
}
