import type { AbortAction, AbortMetric, AbortRule } from "./abort.ts";
import { type ControlSettings, defaultControl } from "./control-metrics.ts";

/** How a stage gives way to the next one once it soaked. */
export type Advance =
  | "automatic"
  | "manual"
  /** The number of people of a role who approve it. */
  | { readonly approvals: number; readonly role: string };

/** When a stage is settled before every member has an outcome. */
export interface SuccessRule {
  /** The share, above 0 and up to 1, that must have succeeded. */
  readonly share: number;
  /** `reachable` counts those too that were heard of and have no outcome. */
  readonly of: "attempted" | "reachable";
  /** Attempts that it takes at least, or all of a smaller stage. */
  readonly minSample: number;
}

/** When a stage may go on without some of its members. */
export interface StragglerRule {
  /** Highest share of the stage, from 0 to 1, that may still be on its way. */
  readonly allowedShare: number;
  /** The stage must have been open for this long as well. */
  readonly afterSeconds: number;
}

/**
 * One stage. Its size is one of three: a percentage or a number of the devices that pass its
 * filter, those of the stages before included; or all of a group that do.
 */
export interface StagePlan {
  readonly percent?: number;
  readonly count?: number;
  readonly group?: string;
  /** RSQL, beside the filter of the rollout. */
  readonly filter?: string;
  readonly soakSeconds: number;
  readonly advance: Advance;
  readonly success: SuccessRule | null;
}

/** How a rollout goes, and what stops it: what is the same for many releases. */
export interface PolicyRules {
  readonly stages: readonly StagePlan[];
  readonly abort: readonly AbortRule[];
  readonly confidence: number;
  readonly stragglers: StragglerRule;
  /**
   * A rollout that a rule paused or halted goes on by itself when the rule was kept for so long;
   * null when an operator says so.
   */
  readonly resume: { readonly afterSeconds: number } | null;
  /** How updated devices are compared with those that wait; null for not at all. */
  readonly control: ControlSettings | null;
  /** Devices that come later: into the stage of their bucket, or into the last one. */
  readonly newcomers: "join" | "wait";
}

const daySeconds = 24 * 3600;

const rule = (metric: AbortMetric, share: number, action: AbortAction): AbortRule => ({
  metric,
  share,
  minSample: 1,
  action,
});

export const defaultAbort: readonly AbortRule[] = [
  rule("rolled-back", 0.01, "notify"),
  rule("rolled-back", 0.05, "halt"),
  rule("health-failed", 0.1, "notify"),
  rule("health-failed", 0.2, "halt"),
  rule("failed", 0.2, "halt"),
  rule("silent", 0.2, "halt"),
];

const defaultConfidence = 0.95;
const defaultStragglers: StragglerRule = {
  allowedShare: 0.1,
  afterSeconds: 7 * daySeconds,
};

const defaultRules = {
  abort: defaultAbort,
  confidence: defaultConfidence,
  stragglers: defaultStragglers,
  resume: null,
  control: defaultControl,
  newcomers: "join",
} as const;

const automatic = { advance: "automatic", success: null } as const;

function percents(values: readonly number[], soakSeconds: number): readonly StagePlan[] {
  return values.map((percent) => ({ percent, soakSeconds, ...automatic }));
}

/** The policies that every server has; their names are taken. */
export const presets: Readonly<Record<string, PolicyRules>> = {
  "1-10-50-100": { ...defaultRules, stages: percents([1, 10, 50, 100], daySeconds) },
  "1-5-25-100": { ...defaultRules, stages: percents([1, 5, 25, 100], daySeconds) },
  "canary-internal-pilot-general": {
    ...defaultRules,
    newcomers: "wait",
    stages: [
      ...["canary", "internal", "pilot"].map((group) => ({
        group,
        soakSeconds: daySeconds,
        ...automatic,
      })),
      // Whoever is in none of the groups is general, too: nobody is left behind.
      ...percents([100], daySeconds),
    ],
  },
  emergency: {
    ...defaultRules,
    stages: percents([1, 10, 100], 900),
    stragglers: { allowedShare: 0.5, afterSeconds: 1800 },
  },
};

export const defaultPolicyName = "1-10-50-100";
/** The rules of the default policy, which a rollout of before has too that names none. */
export const defaultPolicy: PolicyRules = {
  ...defaultRules,
  stages: percents([1, 10, 50, 100], daySeconds),
};

/** What is wrong with a policy, at a path into its document. */
export interface PolicyDefect {
  readonly path: string;
  readonly rule: string;
}

/**
 * Why a policy could never come to its end, or contradicts itself; null of one that may. What its
 * filters find is asked when a rollout is planned.
 */
export function findPolicyDefect({ stages, abort }: PolicyRules): PolicyDefect | null {
  return findStagesDefect(stages) ?? findAbortDefect(abort);
}

function findStagesDefect(stages: readonly StagePlan[]): PolicyDefect | null {
  const highest = { percent: 0, count: 0 };
  let all: number | null = null;
  for (const [index, stage] of stages.entries()) {
    const path = `stages.${index}`;
    const sizes = (["percent", "count", "group"] as const).filter(
      (name) => stage[name] !== undefined,
    );
    if (sizes.length !== 1)
      return { path, rule: "a stage has exactly one of percent, count and group" };
    if (all !== null)
      return { path, rule: `stages.${all} holds every device already, so nobody is left for it` };
    const { success, count, filter, percent } = stage;
    if (success !== null && count !== undefined && success.minSample > count)
      return {
        path: `${path}.success.minSample`,
        rule: `a stage of ${count} devices never has ${success.minSample} attempts`,
      };
    if (filter !== undefined) continue;
    for (const name of ["percent", "count"] as const) {
      const value = stage[name];
      if (value === undefined) continue;
      if (value <= highest[name])
        return {
          path: `${path}.${name}`,
          rule: `each stage must have a higher ${name} than the one before, ${highest[name]}`,
        };
      highest[name] = value;
    }
    if (percent === 100) all = index;
  }
  return null;
}

function findAbortDefect(abort: readonly AbortRule[]): PolicyDefect | null {
  const seen = new Set<string>();
  for (const [index, { metric, action }] of abort.entries()) {
    const key = `${metric} ${action}`;
    if (seen.has(key))
      return { path: `abort.${index}`, rule: `there is a rule to ${action} for ${metric} already` };
    seen.add(key);
  }
  return null;
}
