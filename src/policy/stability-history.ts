import { type DigestHex, parseDigestHex } from "../protocol/digest.ts";
import {
  arrayAt,
  encodeJson,
  integerAt,
  type JsonObject,
  type JsonValue,
  parseJsonObject,
  stringAt,
} from "../protocol/json.ts";

export const stabilityTriggers = ["watchdog", "reboots", "health", "leak", "no-server"] as const;

/** Why a confirmed image is to be rolled back. */
export type StabilityTrigger = (typeof stabilityTriggers)[number];

const phases = ["watching", "requested", "over"] as const;

/**
 * `watching` from the confirm on; `requested` once a rollback was decided; `over` when there is
 * nothing to watch any more: the soak is done, the old image is gone, or what could be decided was
 * decided.
 */
export type StabilityPhase = (typeof phases)[number];

/** A restart that nobody planned. */
export interface CountedReset {
  /** Elapsed time at which it happened. */
  readonly atSeconds: number;
  readonly byWatchdog: boolean;
}

/**
 * What the watch over one confirmed image remembers. Times are seconds of elapsed time since the
 * confirm: time in which the device ran, or slept as long as it said. Bounded: `encodeHistory`
 * gives at most 544 bytes.
 */
export interface StabilityHistory {
  readonly imageHash: DigestHex;
  /** The image that a rollback brings back. */
  readonly previousImageHash: DigestHex;
  readonly phase: StabilityPhase;
  /** What the rollback was decided for, or null. */
  readonly trigger: StabilityTrigger | null;
  /**
   * How often the rollback was decided: a swap that does not come about is asked for again, a few
   * times.
   */
  readonly requests: number;
  readonly elapsedSeconds: number;
  /**
   * The part of `elapsedSeconds` that a wall clock alone tells: it parts resets, and does not count
   * towards the soak.
   */
  readonly unseenSeconds: number;
  /** The longest sleep that was announced so far. */
  readonly longestSleepSeconds: number;
  /** The wall clock at `elapsedSeconds`, or null without one. */
  readonly unixSeconds: number | null;
  /** The last ones, oldest first. */
  readonly resets: readonly CountedReset[];
  readonly failingSinceSeconds: number | null;
  readonly noServerSinceSeconds: number | null;
  /** The server answered this image at least once. */
  readonly serverReached: boolean;
  /** The device announced its next restart, which therefore does not count. */
  readonly restartPlanned: boolean;
  /** Times that the history was to be stored. */
  readonly writes: number;
  /** What is known of this boot alone; not stored. */
  readonly boot: BootRecord;
}

export interface BootRecord {
  /** The uptime at `elapsedSeconds`. */
  readonly uptimeSeconds: number;
  /** `elapsedSeconds` of the stored history, and whether it holds a failure that goes on. */
  readonly storedAtSeconds: number;
  readonly storedFailure: boolean;
  /** How often a failure that went on was stored in this boot. */
  readonly failureStores: number;
  readonly heap: HeapRecord | null;
}

/** Readings of the memory in use in this boot, period by period. */
export interface HeapRecord {
  readonly periodEndsAtSeconds: number;
  /** The lowest reading of the running period; null before its first. */
  readonly lowBytes: number | null;
  /** The lows of the last whole periods, oldest first. */
  readonly lowsBytes: readonly number[];
}

/** Resets that are remembered; a rule can count up to one less. */
export const countedResetsMax = 16;

/** 115 days; the watch ends before. */
export const elapsedSecondsMax = 9_999_999;

/** What `encodeHistory` never exceeds. */
export const historyBytesMax = 544;

const historyFormat = 1;
const writesMax = 9999;
const unixSecondsMax = 99_999_999_999;
const requestsStoredMax = 9;

export const freshBoot: BootRecord = {
  uptimeSeconds: 0,
  storedAtSeconds: 0,
  storedFailure: false,
  failureStores: 0,
  heap: null,
};

/** The stored form. What is known of this boot alone is left out. */
export function encodeHistory(history: StabilityHistory): Uint8Array {
  return encodeJson({
    v: historyFormat,
    image: history.imageHash,
    previous: history.previousImageHash,
    phase: history.phase,
    trigger: history.trigger,
    requests: history.requests,
    elapsed: history.elapsedSeconds,
    ...(history.unseenSeconds > 0 ? { unseen: history.unseenSeconds } : {}),
    ...(history.longestSleepSeconds > 0 ? { sleep: history.longestSleepSeconds } : {}),
    unix: history.unixSeconds,
    // Twice the time, plus one for the watchdog: half the bytes of an object.
    resets: history.resets.map((reset) => 2 * reset.atSeconds + (reset.byWatchdog ? 1 : 0)),
    failing: history.failingSinceSeconds,
    noServer: history.noServerSinceSeconds,
    reached: history.serverReached,
    planned: history.restartPlanned,
    writes: history.writes,
  });
}

/**
 * What `encodeHistory` wrote, for the first event of a boot; null for anything else: then nothing
 * is watched.
 */
export function decodeHistory(bytes: Uint8Array): StabilityHistory | null {
  const root = parseJsonObject(bytes, historyBytesMax);
  if (root === null || integerAt(root, "v", historyFormat, historyFormat) === null) return null;
  const imageHash = parseDigestHex(stringAt(root, "image", 64));
  const previousImageHash = parseDigestHex(stringAt(root, "previous", 64));
  const phase = phases.find((known) => known === root["phase"]);
  const trigger = decodeTrigger(root);
  const requests = integerAt(root, "requests", 0, requestsStoredMax);
  const elapsedSeconds = integerAt(root, "elapsed", 0, elapsedSecondsMax);
  const writes = integerAt(root, "writes", 0, writesMax);
  const unseenSeconds = secondsAt(root, "unseen", elapsedSeconds ?? 0);
  const longestSleepSeconds = secondsAt(root, "sleep", elapsedSecondsMax);
  if (imageHash === null || previousImageHash === null || phase === undefined) return null;
  if (trigger === undefined || requests === null || elapsedSeconds === null) return null;
  if (unseenSeconds === null || longestSleepSeconds === null) return null;
  const resets = decodeResets(arrayAt(root, "resets", countedResetsMax), elapsedSeconds);
  const unixSeconds = optionalAt(root, "unix", unixSecondsMax);
  const failingSinceSeconds = optionalAt(root, "failing", elapsedSeconds);
  const noServerSinceSeconds = optionalAt(root, "noServer", elapsedSeconds);
  if (unixSeconds === undefined || failingSinceSeconds === undefined) return null;
  if (noServerSinceSeconds === undefined || resets === null || writes === null) return null;
  return {
    imageHash,
    previousImageHash,
    phase,
    trigger,
    requests,
    elapsedSeconds,
    unseenSeconds,
    longestSleepSeconds,
    unixSeconds,
    resets,
    failingSinceSeconds,
    noServerSinceSeconds,
    serverReached: root["reached"] === true,
    restartPlanned: root["planned"] === true,
    writes,
    boot: freshBoot,
  };
}

/** Undefined when malformed. */
function decodeTrigger(root: JsonObject): StabilityTrigger | null | undefined {
  const value = root["trigger"];
  return value === null ? null : stabilityTriggers.find((known) => known === value);
}

/** An integer, or null when it says null; undefined when malformed. */
function optionalAt(root: JsonObject, key: string, max: number): number | null | undefined {
  if (root[key] === null) return null;
  return integerAt(root, key, 0, max) ?? undefined;
}

/** Earlier firmware stored none, which is 0; null when malformed. */
function secondsAt(root: JsonObject, key: string, max: number): number | null {
  return root[key] === undefined ? 0 : integerAt(root, key, 0, max);
}

/** In order and none after now, or null. */
function decodeResets(
  values: readonly JsonValue[] | null,
  elapsedSeconds: number,
): readonly CountedReset[] | null {
  if (values === null) return null;
  const resets: CountedReset[] = [];
  let last = 0;
  for (const value of values) {
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) return null;
    const atSeconds = Math.floor(value / 2);
    if (atSeconds < last || atSeconds > elapsedSeconds) return null;
    resets.push({ atSeconds, byWatchdog: value % 2 === 1 });
    last = atSeconds;
  }
  return resets;
}
