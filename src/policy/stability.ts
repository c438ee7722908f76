import type { ResetReason } from "../ports/board.ts";
import type { DigestHex } from "../protocol/digest.ts";
import { readHeap } from "./heap-growth.ts";
import {
  boot,
  hasFailure,
  isCheckpointDue,
  isFailureDue,
  isPlanned,
  isSoakOver,
  later,
  type Moment,
  pass,
  seconds,
  secondsOrNull,
} from "./stability-clock.ts";
import {
  type CountedReset,
  countedResetsMax,
  elapsedSecondsMax,
  freshBoot,
  type StabilityHistory,
  type StabilityTrigger,
} from "./stability-history.ts";
import type { ResetRule, StabilitySettings } from "./stability-settings.ts";

/** What happened to the confirmed image. */
export type StabilityEvent =
  /** The first event of a boot. `deep-sleep`: it woke as it had planned. */
  | { readonly kind: "booted"; readonly reason: ResetReason }
  /**
   * The device is about to restart or to sleep on purpose: the boot that follows does not count.
   */
  | { readonly kind: "restarting"; readonly sleepMs: number }
  /** The health checks but the server's were evaluated (`failingAfterConfirm`). */
  | { readonly kind: "health"; readonly failing: boolean }
  /** The server answered a poll of this image. */
  | { readonly kind: "serverReached" }
  /**
   * A poll got no answer. `other`: whether a second configured endpoint was reached; `none` without
   * one.
   */
  | {
      readonly kind: "serverMissed";
      readonly linkUp: boolean;
      readonly other: "none" | "reached" | "missed";
    }
  /** Memory in use, best right after a garbage collection, and what there is of it. */
  | { readonly kind: "heap"; readonly usedBytes: number; readonly limitBytes: number }
  /** Time passed: due at least every `tickMsMax`. */
  | { readonly kind: "tick" };

/** A rollback that does not come about is decided this often, once a boot. */
export const rollbackRequestsMax = 3;

/** What is the case at the moment of the event. */
export interface StabilityContext extends Moment {
  readonly running: { readonly imageHash: DigestHex; readonly securityCounter: number | null };
  /** What the secondary slot holds; null while it cannot be read, then nothing is decided. */
  readonly secondary: {
    readonly imageHash: DigestHex | null;
    readonly securityCounter: number | null;
  } | null;
}

export type StabilityDecision =
  | { readonly kind: "none" }
  /** Refuse this release, ask for a permanent swap, restart. */
  | { readonly kind: "rollback"; readonly trigger: StabilityTrigger; readonly detail: string }
  /**
   * A rollback is needed, and MCUboot would refuse the old image and erase it: its security counter
   * is lower.
   */
  | {
      readonly kind: "rollback-impossible";
      readonly reason: "counter";
      readonly trigger: StabilityTrigger;
      readonly detail: string;
    };

export interface StabilityStep {
  readonly history: StabilityHistory;
  readonly decision: StabilityDecision;
  /** Store `encodeHistory(history)` before anything else is done. */
  readonly store: boolean;
}

/** Starts the watch at the confirm; to be stored at once. */
export function beginWatch(facts: {
  readonly imageHash: DigestHex;
  readonly previousImageHash: DigestHex;
  readonly uptimeMs: number;
  readonly unixMs: number | null;
  /** False when the image was confirmed without the server. */
  readonly serverReached: boolean;
}): StabilityHistory {
  return {
    imageHash: facts.imageHash,
    previousImageHash: facts.previousImageHash,
    phase: "watching",
    trigger: null,
    requests: 0,
    elapsedSeconds: 0,
    unseenSeconds: 0,
    longestSleepSeconds: 0,
    unixSeconds: secondsOrNull(facts.unixMs),
    resets: [],
    failingSinceSeconds: null,
    noServerSinceSeconds: null,
    serverReached: facts.serverReached,
    restartPlanned: false,
    writes: 1,
    boot: { ...freshBoot, uptimeSeconds: seconds(facts.uptimeMs) },
  };
}

/**
 * The watch over a confirmed image during its soak: the same history, event and context always give
 * the same answer.
 *
 * | trigger     | rolls back after                                                                                        |
 * | `watchdog`  | more than 5 watchdog resets in 10 minutes                                                               |
 * | `reboots`   | more than 3 resets in 5 minutes that nobody planned                                                     |
 * | `health`    | health failing for over 2 minutes                                                                       |
 * | `leak`      | a heap that grows period by period and would be full within a week (heap-growth.ts)                     |
 * | `no-server` | no server for over 5 minutes, if it was reached under this image, the link is up, and a second endpoint |
 * |             | is missed too; never with one endpoint alone                                                            |
 *
 * It is decided at most once per release, and only while the old image is in the secondary slot and
 * its security counter is not lower. All is counted across reboots, but for the heap, which each
 * boot fills anew.
 *
 * **Time.** Windows are time in which the device ran (or slept as announced). Within a boot the
 * uptime counts. Across a reset the wall clock does when it is known before and after and did not
 * run backwards. Without it the time since the last stored history is not known; among resets that
 * count the longest it can have been is taken, so that they seem further apart than they were, not
 * closer (by more than a tick); resets on both sides of time without power are then neighbours.
 * What a clock says of a reset parts resets and never ends the soak: towards the soak counts time
 * in which the device ran, and of a planned sleep no more than the longest that it announced, and
 * what ran since the last stored history. So a clock that jumps ahead ends no watch, and none can
 * bring resets closer together.
 *
 * **Writes.** `store` is true at the confirm, at resets that count and at fixed times after them,
 * when a failure has lasted half its limit and when it is over, every twelfth of the soak and at
 * the end: about 15 times in a soak without incident. What happened since the last one is lost in a
 * reset.
 */
export function watchStability(
  before: StabilityHistory,
  event: StabilityEvent,
  context: StabilityContext,
  settings: StabilitySettings,
): StabilityStep {
  if (before.phase === "over") return unchanged(before);
  if (context.running.imageHash !== before.imageHash) return end(before);
  const { secondary } = context;
  if (secondary !== null && secondary.imageHash !== before.previousImageHash) return end(before);
  const now =
    event.kind === "booted" ? boot(before, event.reason, context, settings) : pass(before, context);
  if (isSoakOver(now, settings)) return end(now);
  if (before.phase === "requested")
    return event.kind === "booted" && before.trigger !== null
      ? decide(now, { trigger: before.trigger, detail: "decided before" }, context)
      : unchanged(now);
  const { history, due, found } = take(now, event, settings);
  if (found !== null && secondary !== null) return decide(history, found, context);
  const isDue = due || isCheckpointDue(history, settings) || isFailureDue(history, settings);
  return isDue ? stored(history, settings) : unchanged(history);
}

interface Found {
  readonly trigger: StabilityTrigger;
  readonly detail: string;
}

interface Taken {
  readonly history: StabilityHistory;
  /** The history changed in what must not be lost. */
  readonly due: boolean;
  readonly found: Found | null;
}

function take(now: StabilityHistory, event: StabilityEvent, settings: StabilitySettings): Taken {
  switch (event.kind) {
    case "booted":
      return takeBoot(now, event.reason, settings);
    case "restarting":
      return takeRestart(now, event.sleepMs);
    case "health":
      return takeHealth(now, event.failing, settings.healthFailingMs);
    case "serverReached":
      return {
        history: { ...now, serverReached: true, noServerSinceSeconds: null },
        due: !now.serverReached,
        found: null,
      };
    case "serverMissed":
      return takeMissed(now, event, settings.noServerMs);
    case "heap": {
      const { heap, leak } = readHeap(now.boot.heap, event, now.elapsedSeconds, settings.leak);
      const found: Found | null = leak === null ? null : { trigger: "leak", detail: leak };
      return { history: { ...now, boot: { ...now.boot, heap } }, due: false, found };
    }
    case "tick":
      return { history: now, due: false, found: null };
    default:
      return event satisfies never;
  }
}

function takeBoot(now: StabilityHistory, reason: ResetReason, settings: StabilitySettings): Taken {
  const history = { ...now, restartPlanned: false };
  const counts = reason !== "deep-sleep" && settings.countedResets.includes(reason);
  if (!counts || isPlanned(now, reason)) return { history, due: now.restartPlanned, found: null };
  const atSeconds = now.elapsedSeconds - now.boot.uptimeSeconds;
  const reset: CountedReset = { atSeconds, byWatchdog: reason === "watchdog" };
  const resets = [...now.resets, reset].slice(-countedResetsMax);
  const watchdogs = exceeded(
    resets.filter(({ byWatchdog }) => byWatchdog),
    settings.watchdogResets,
  );
  const reboots = exceeded(resets, settings.reboots);
  const found: Found | null =
    watchdogs !== null
      ? { trigger: "watchdog", detail: `${watchdogs} by the watchdog` }
      : reboots !== null
        ? { trigger: "reboots", detail: reboots }
        : null;
  return { history: { ...history, resets }, due: true, found };
}

/** More than the rule's count, ending with the last one: what to say of it, or null. */
function exceeded(resets: readonly CountedReset[], rule: ResetRule | null): string | null {
  if (rule === null) return null;
  const count = Math.min(rule.count, countedResetsMax - 1) + 1;
  const first = resets[resets.length - count];
  const last = resets[resets.length - 1];
  if (first === undefined || last === undefined) return null;
  const spanSeconds = last.atSeconds - first.atSeconds;
  return spanSeconds <= seconds(rule.windowMs) ? `${count} resets in ${spanSeconds} s` : null;
}

function takeRestart(now: StabilityHistory, sleepMs: number): Taken {
  const sleepSeconds = Math.min(seconds(sleepMs), elapsedSecondsMax);
  const isLongest = sleepSeconds > now.longestSleepSeconds;
  const longestSleepSeconds = isLongest ? sleepSeconds : now.longestSleepSeconds;
  const history = { ...later(now, sleepSeconds), longestSleepSeconds, restartPlanned: true };
  // A device that wakes with its clock right needs no write for each sleep.
  return { history, due: sleepMs <= 0 || now.unixSeconds === null || isLongest, found: null };
}

function takeHealth(now: StabilityHistory, failing: boolean, limitMs: number | null): Taken {
  if (!failing || limitMs === null)
    return { history: { ...now, failingSinceSeconds: null }, due: false, found: null };
  const since = now.failingSinceSeconds ?? now.elapsedSeconds;
  const lastedSeconds = now.elapsedSeconds - since;
  const detail = `health failing for ${lastedSeconds} s`;
  const found: Found | null =
    lastedSeconds > seconds(limitMs) ? { trigger: "health", detail } : null;
  return { history: { ...now, failingSinceSeconds: since }, due: false, found };
}

function takeMissed(
  now: StabilityHistory,
  missed: Extract<StabilityEvent, { kind: "serverMissed" }>,
  limitMs: number | null,
): Taken {
  const isTheirs = now.serverReached && missed.linkUp && missed.other === "missed";
  if (!isTheirs || limitMs === null)
    return { history: { ...now, noServerSinceSeconds: null }, due: false, found: null };
  const since = now.noServerSinceSeconds ?? now.elapsedSeconds;
  const lastedSeconds = now.elapsedSeconds - since;
  const detail = `no server for ${lastedSeconds} s`;
  const found: Found | null =
    lastedSeconds > seconds(limitMs) ? { trigger: "no-server", detail } : null;
  return { history: { ...now, noServerSinceSeconds: since }, due: false, found };
}

function decide(history: StabilityHistory, found: Found, context: StabilityContext): StabilityStep {
  const { running, secondary } = context;
  if (secondary === null) return unchanged(history);
  if (history.requests >= rollbackRequestsMax) return end(history);
  const { trigger } = found;
  const writes = history.writes + 1;
  if ((secondary.securityCounter ?? 0) < (running.securityCounter ?? 0)) {
    const over: StabilityHistory = { ...history, phase: "over", trigger, writes };
    const decision = { kind: "rollback-impossible", reason: "counter", ...found } as const;
    return { history: over, decision, store: true };
  }
  const requests = history.requests + 1;
  const requested: StabilityHistory = { ...history, phase: "requested", trigger, requests, writes };
  return { history: requested, decision: { kind: "rollback", ...found }, store: true };
}

const none: StabilityDecision = { kind: "none" };

function unchanged(history: StabilityHistory): StabilityStep {
  return { history, decision: none, store: false };
}

function end(history: StabilityHistory): StabilityStep {
  const over: StabilityHistory = { ...history, phase: "over", writes: history.writes + 1 };
  return { history: over, decision: none, store: true };
}

function stored(history: StabilityHistory, settings: StabilitySettings): StabilityStep {
  if (history.writes >= settings.writesMax) return end(history);
  const storedFailure = hasFailure(history);
  const failureStores = history.boot.failureStores + (storedFailure ? 1 : 0);
  const boot = {
    ...history.boot,
    storedAtSeconds: history.elapsedSeconds,
    storedFailure,
    failureStores,
  };
  return {
    history: { ...history, writes: history.writes + 1, boot },
    decision: none,
    store: true,
  };
}
