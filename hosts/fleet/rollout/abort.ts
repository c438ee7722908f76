import { attemptedCount, membersCount, type StageTally, wentBackCount } from "./tally.ts";
import { isOver, wilsonLowerBound } from "./wilson.ts";

/**
 * What speaks against a release.
 *
 * | metric | bad devices | of |
 * |---|---|---|
 * | rolled-back | went back, wanted to and could not, or never proved what they run | attempts |
 * | failed | refused the release or gave up on it | attempts |
 * | silent | are not heard of since the update, or went back for nothing but silence | these and attempts |
 * | health-failed | went back because a health check of the release failed | attempts |
 * | battery-drop | lost so many points of battery since the release was offered | updated |
 */
export const abortMetrics = [
  "rolled-back",
  "failed",
  "silent",
  "health-failed",
  "battery-drop",
] as const;
export type AbortMetric = (typeof abortMetrics)[number];

/**
 * What a rule does, weakest first: `notify` tells it and goes on; `pause` offers the release to
 * nobody else, and lets go on who has begun; `halt` takes it back from these as well; `cancel` ends
 * the rollout.
 */
export const abortActions = ["notify", "pause", "halt", "cancel"] as const;
export type AbortAction = (typeof abortActions)[number];

export interface AbortRule {
  readonly metric: AbortMetric;
  /** The share, from 0 to 1, that the true one must be over; 1 is never over. */
  readonly share: number;
  /** Smaller samples say nothing, unless they are the whole stage. */
  readonly minSample: number;
  readonly action: AbortAction;
}

export interface AbortRules {
  readonly abort: readonly AbortRule[];
  /** One-sided, that of the lower bound. */
  readonly confidence: number;
  /** Takes the word of devices that never say which image they run. */
  readonly acceptReported: boolean;
}

/** A rule that a stage breaks, with its arithmetic. */
export interface Breach {
  readonly rule: AbortRule;
  readonly bad: number;
  readonly sample: number;
  /** Null when it is every device of the stage, which needs no bound. */
  readonly lowerBound: number | null;
}

/**
 * The rule that a stage breaks: of several the one that does most, of equal ones the first. Null
 * when none is broken. A stage that is complete may break one still: a device that goes back late
 * counts as one that went back at once.
 */
export function findBreach(
  tally: StageTally,
  rules: AbortRules,
  isAsked: (rule: AbortRule) => boolean,
): Breach | null {
  let found: Breach | null = null;
  for (const rule of rules.abort) {
    if (!isAsked(rule) || (found !== null && rankOf(rule) <= rankOf(found.rule))) continue;
    found = breachOf(tally, rules, rule) ?? found;
  }
  return found;
}

/** Every rule that the stage breaks. */
export function breachesOf(tally: StageTally, rules: AbortRules): readonly Breach[] {
  return rules.abort.flatMap((rule) => breachOf(tally, rules, rule) ?? []);
}

function rankOf({ action }: AbortRule): number {
  return abortActions.indexOf(action);
}

/**
 * The bound of the share is over the limit, and two devices at least are bad; or all devices of the
 * stage are, however few.
 */
function breachOf(tally: StageTally, rules: AbortRules, rule: AbortRule): Breach | null {
  const { bad, sample } = sampleOf(tally, rules, rule.metric);
  if (bad === 0 || rule.share >= 1) return null;
  if (bad === membersCount(tally.counts)) return { rule, bad, sample, lowerBound: null };
  if (sample < rule.minSample || !isOver(bad, sample, rule.share, rules.confidence)) return null;
  return { rule, bad, sample, lowerBound: wilsonLowerBound(bad, sample, rules.confidence) };
}

function sampleOf(
  { counts, healthFailed, batteryDropped }: StageTally,
  rules: AbortRules,
  metric: AbortMetric,
): { readonly bad: number; readonly sample: number } {
  const attempted = attemptedCount(counts, rules);
  switch (metric) {
    case "rolled-back":
      return { bad: wentBackCount(counts), sample: attempted };
    case "failed":
      return { bad: counts.failed, sample: attempted };
    case "silent": {
      const bad = counts["no-link"] + counts.silent;
      return { bad, sample: attempted + bad };
    }
    case "health-failed":
      return { bad: healthFailed, sample: attempted };
    case "battery-drop":
      return { bad: batteryDropped, sample: counts.updated };
  }
}

const words: Readonly<Record<AbortMetric, string>> = {
  "rolled-back": "rolled back",
  failed: "failed",
  silent: "fell silent",
  "health-failed": "failed a health check",
  "battery-drop": "lost battery",
};

/** What became of the rollout by an action, in a word. */
const outcomeOfAction: Readonly<Record<AbortAction, string>> = {
  notify: "warned",
  pause: "paused",
  halt: "halted",
  cancel: "cancelled",
};

/** "9 of 41 rolled back, lower bound 13.2 % over 5 %: halted" */
export function breachSentence({ rule, bad, sample, lowerBound }: Breach): string {
  const why =
    lowerBound === null
      ? `every device of the stage, over ${percentText(rule.share)}`
      : `lower bound ${percentText(lowerBound)} over ${percentText(rule.share)}`;
  return `${bad} of ${sample} ${words[rule.metric]}, ${why}: ${outcomeOfAction[rule.action]}`;
}

/** A share with one decimal, where there is one. */
export function percentText(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}
