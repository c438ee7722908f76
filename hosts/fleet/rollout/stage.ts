import { type MemberState, memberStates } from "./member.ts";

/** How many members of a stage are in each state. */
export type StageCounts = Readonly<Record<MemberState, number>>;

/**
 * When a rollout stops by itself. Shares are of the devices whose attempt has an outcome, from 0 to
 * 1.
 */
export interface HaltThreshold {
  /**
   * Highest share that rolled back, wanted to and could not, or never proved that it runs the
   * release.
   */
  readonly rolledBackShare: number;
  /** Highest share that refused the release or gave up on it. */
  readonly failedShare: number;
  /** Highest share that went back for nothing but silence, of those and the attempts together. */
  readonly noLinkShare: number;
  /**
   * Shares are taken of at least this many attempts, or of the whole stage where that is smaller.
   */
  readonly attemptedMin: number;
}

/** When a stage may go on without some of its members. */
export interface StragglerRule {
  /** Highest share of the stage, from 0 to 1, that may still be on its way. */
  readonly allowedShare: number;
  /** The stage must have been open for this long as well. */
  readonly afterSeconds: number;
}

export interface StageRules {
  readonly halt: HaltThreshold;
  readonly stragglers: StragglerRule;
  /** Takes the word of devices that never say which image they run. */
  readonly acceptReported: boolean;
}

/** Times are of one clock that never steps. */
export interface StageProgress {
  /** Members that it ever had. */
  readonly joined: number;
  readonly counts: StageCounts;
  readonly soakSeconds: number;
  readonly openedAtMs: number;
  /** Since when nothing of the stage is on its way, or null. */
  readonly settledAtMs: number | null;
}

export type HaltReason = "rolled-back-share" | "failed-share" | "no-link-share" | "control-group";

export interface Halt {
  readonly reason: HaltReason;
  readonly bad: number;
  readonly attempted: number;
  /** The share's denominator: `attempted`, raised to the minimum. */
  readonly outOf: number;
  readonly limit: number;
  /** The arithmetic of the control group, as one sentence, and the metric that it is about. */
  readonly sentence?: string;
  readonly metric?: string;
}

export type StageVerdict =
  | { readonly kind: "halt"; readonly halt: Halt }
  /** Devices are on their way; the soak has not begun, or begins again later. */
  | { readonly kind: "in-progress" }
  /**
   * The stage's members are gone, and none of them proved anything: an operator says how it goes
   * on.
   */
  | { readonly kind: "emptied" }
  | { readonly kind: "soaking"; readonly settledAtMs: number }
  | { readonly kind: "complete"; readonly settledAtMs: number };

/** Decides about one open stage from its counters alone. */
export function evaluateStage(
  stage: StageProgress,
  rules: StageRules,
  nowMs: number,
): StageVerdict {
  const halt = findHalt(stage.counts, rules);
  if (halt !== null) return { kind: "halt", halt };
  const settledAtMs = stage.settledAtMs ?? nowMs;
  // A small fleet fills the first stages and leaves others empty: they have nothing to wait for.
  if (stage.joined === 0) return { kind: "complete", settledAtMs };
  if (membersCount(stage.counts) === 0) return { kind: "emptied" };
  if (!isSettled(stage, rules, nowMs)) return { kind: "in-progress" };
  return nowMs >= settledAtMs + stage.soakSeconds * 1000
    ? { kind: "complete", settledAtMs }
    : { kind: "soaking", settledAtMs };
}

/**
 * Why the stage halts, or null. A complete stage may: a device that goes back late counts as one
 * that went back at once.
 */
export function findHalt(counts: StageCounts, rules: StageRules): Halt | null {
  const { halt } = rules;
  const attempted = attemptedCount(counts, rules);
  const outOf = Math.max(attempted, Math.min(halt.attemptedMin, membersCount(counts)));
  const over = (bad: number, limit: number, reason: HaltReason): Halt | null =>
    bad > 0 && bad / outOf > limit ? { reason, bad, attempted, outOf, limit } : null;
  return (
    over(wentBackCount(counts), halt.rolledBackShare, "rolled-back-share") ??
    over(counts.failed, halt.failedShare, "failed-share") ??
    findSilence(counts, rules)
  );
}

/**
 * A release that takes the network from its devices shows as silence, and nothing else speaks
 * against it.
 */
function findSilence(counts: StageCounts, rules: StageRules): Halt | null {
  const { attemptedMin, noLinkShare: limit } = rules.halt;
  const bad = counts["no-link"];
  const attempted = attemptedCount(counts, rules) + bad;
  const outOf = Math.max(attempted, Math.min(attemptedMin, membersCount(counts)));
  return bad > 0 && bad / outOf > limit
    ? { reason: "no-link-share", bad, attempted, outOf, limit }
    : null;
}

/** Members whose attempt has an outcome. */
export function attemptedCount(
  counts: StageCounts,
  rules: Pick<StageRules, "acceptReported">,
): number {
  return succeededCount(counts, rules) + wentBackCount(counts) + counts.failed;
}

/**
 * Members that speak against the release. Those that missed the server count apart, or not at all.
 */
function wentBackCount(counts: StageCounts): number {
  return counts["rolled-back"] + counts.unproven + counts.stuck;
}

/** Members that the stage is judged by: all but the excluded. */
export function membersCount(counts: StageCounts): number {
  return memberStates.reduce((sum, state) => sum + counts[state], 0) - counts.excluded;
}

/**
 * Silence counts against the stage: whoever has no outcome holds it, until the stragglers' rule
 * lets it go.
 */
function isSettled(stage: StageProgress, rules: StageRules, nowMs: number): boolean {
  const { counts } = stage;
  const members = membersCount(counts);
  if (succeededCount(counts, rules) === 0) return false;
  const onTheirWay = members - attemptedCount(counts, rules);
  if (onTheirWay === 0) return true;
  const { afterSeconds, allowedShare } = rules.stragglers;
  return nowMs >= stage.openedAtMs + afterSeconds * 1000 && onTheirWay / members <= allowedShare;
}

function succeededCount(counts: StageCounts, rules: Pick<StageRules, "acceptReported">): number {
  return counts.updated + (rules.acceptReported ? counts.reported : 0);
}
