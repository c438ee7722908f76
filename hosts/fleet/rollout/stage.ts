import { type AbortRules, percentText } from "./abort.ts";
import type { Advance, StragglerRule, SuccessRule } from "./policy.ts";
import {
  attemptedCount,
  membersCount,
  reachableCount,
  type StageTally,
  succeededCount,
} from "./tally.ts";

export interface StageRules extends AbortRules {
  readonly stragglers: StragglerRule;
}

/** Times are of one clock that never steps. */
export interface StageProgress extends StageTally {
  /** Members that it ever had. */
  readonly joined: number;
  readonly soakSeconds: number;
  /** Null: every member needs an outcome, or the stragglers' rule lets them go. */
  readonly success: SuccessRule | null;
  readonly advance: Advance;
  /** People who approved that the rollout goes on from here. */
  readonly approvals: number;
  readonly openedAtMs: number;
  /** Since when nothing of the stage is on its way, or null. */
  readonly settledAtMs: number | null;
}

export type StageVerdict =
  /** Devices are on their way; the soak has not begun, or begins again later. */
  | { readonly kind: "in-progress"; readonly waitsFor: string }
  /**
   * The stage's members are gone, and none of them proved anything: an operator says how it goes
   * on.
   */
  | { readonly kind: "emptied" }
  | { readonly kind: "soaking"; readonly settledAtMs: number; readonly waitsFor: string }
  /** Nothing is missing but the word of people. */
  | { readonly kind: "for-approval"; readonly settledAtMs: number; readonly waitsFor: string }
  | { readonly kind: "complete"; readonly settledAtMs: number };

/**
 * Decides about one open stage from its counters alone; whether it breaks a rule is asked before.
 */
export function evaluateStage(
  stage: StageProgress,
  rules: StageRules,
  nowMs: number,
): StageVerdict {
  const settledAtMs = stage.settledAtMs ?? nowMs;
  // A small fleet fills the first stages and leaves others empty: they have nothing to wait for.
  if (stage.joined === 0) return { kind: "complete", settledAtMs };
  if (membersCount(stage.counts) === 0) return { kind: "emptied" };
  const missing = whatIsMissing(stage, rules, nowMs);
  if (missing !== null) return { kind: "in-progress", waitsFor: missing };
  if (nowMs < settledAtMs + stage.soakSeconds * 1000) {
    const waitsFor = `${stateOfAttempts(stage, rules)}; soaks for ${stage.soakSeconds} s`;
    return { kind: "soaking", settledAtMs, waitsFor };
  }
  const waitsFor = whoseWordIsMissing(stage);
  return waitsFor === null
    ? { kind: "complete", settledAtMs }
    : { kind: "for-approval", settledAtMs, waitsFor };
}

/**
 * Silence counts against the stage: whoever has no outcome holds it, until the stragglers' rule or
 * the share that the policy asks for lets it go.
 */
function whatIsMissing(stage: StageProgress, rules: StageRules, nowMs: number): string | null {
  const { counts, success } = stage;
  const members = membersCount(counts);
  const told = stateOfAttempts(stage, rules);
  if (succeededCount(counts, rules) === 0) return `${told}; nobody proved the release`;
  if (success !== null) return whatSuccessLacks(stage, success, rules);
  const onTheirWay = members - attemptedCount(counts, rules);
  if (onTheirWay === 0) return null;
  const { afterSeconds, allowedShare } = rules.stragglers;
  if (nowMs >= stage.openedAtMs + afterSeconds * 1000 && onTheirWay / members <= allowedShare)
    return null;
  return `${told}; after ${afterSeconds} s it goes on without ${percentText(allowedShare)} of them`;
}

function whatSuccessLacks(
  { counts }: StageProgress,
  { share, of, minSample }: SuccessRule,
  rules: StageRules,
): string | null {
  const attempted = attemptedCount(counts, rules);
  const wanted = Math.min(minSample, membersCount(counts));
  if (attempted < wanted) return `${attempted} of at least ${wanted} attempts have an outcome`;
  const outOf = of === "attempted" ? attempted : reachableCount(counts);
  const succeeded = succeededCount(counts, rules);
  return succeeded / outOf >= share
    ? null
    : `${succeeded} of ${outOf} ${of} succeeded, ${percentText(succeeded / outOf)} below ${percentText(share)}`;
}

function stateOfAttempts({ counts }: StageProgress, rules: StageRules): string {
  const members = membersCount(counts);
  const onTheirWay = members - attemptedCount(counts, rules);
  return `${succeededCount(counts, rules)} of ${members} updated, ${onTheirWay} without an outcome`;
}

function whoseWordIsMissing({ advance, approvals }: StageProgress): string | null {
  if (advance === "automatic") return null;
  if (advance === "manual") return "an operator advances it";
  return approvals >= advance.approvals
    ? null
    : `${approvals} of ${advance.approvals} approvals (${advance.role})`;
}
