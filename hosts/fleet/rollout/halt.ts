import { type AbortAction, type Breach, breachSentence } from "./abort.ts";

/** Why a rollout stopped by itself. */
export interface Halt {
  /** `<metric>-share` of a rule of the policy, or `control-group`. */
  readonly reason: string;
  readonly stage: number;
  readonly action: AbortAction;
  /** The arithmetic, as one sentence. */
  readonly sentence: string;
  readonly bad: number | null;
  readonly sample: number | null;
  /** Null when it needed none: every device of the stage was bad. */
  readonly lowerBound: number | null;
  /** The share that the rule allows; null of what is no share. */
  readonly limit: number | null;
  /** What devices were worse in than those that wait, where the control group stopped it. */
  readonly metric?: string;
}

export function haltOfBreach(breach: Breach, stage: number): Halt {
  const { rule, bad, sample, lowerBound } = breach;
  return {
    reason: `${rule.metric}-share`,
    stage,
    action: rule.action,
    sentence: breachSentence(breach),
    bad,
    sample,
    lowerBound,
    limit: rule.share,
  };
}

/** A halt as it was stored, also before it had a sentence. */
export function readHalt(stored: string): Halt {
  const halt = JSON.parse(stored);
  if (typeof halt.sentence === "string") return halt;
  const { reason, stage, bad, attempted, limit } = halt;
  return {
    reason: reason === "no-link-share" ? "silent-share" : reason,
    stage,
    action: "halt",
    sentence: `${bad} of ${attempted} over the ${reason} of ${limit}: halted`,
    bad,
    sample: attempted,
    lowerBound: null,
    limit,
  };
}
