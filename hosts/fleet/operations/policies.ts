import { filterOfStage } from "../filter/rollout-filter.ts";
import type { AbortRule } from "../rollout/abort.ts";
import { type ControlSettings, defaultControl } from "../rollout/control-metrics.ts";
import {
  defaultPolicy,
  findPolicyDefect,
  type PolicyDefect,
  type PolicyRules,
  presets,
  type StagePlan,
  type StragglerRule,
  type SuccessRule,
} from "../rollout/policy.ts";
import type { Queries } from "../storage/database.ts";
import { countPolicies, findPolicy, insertPolicy, type PolicyRow } from "../storage/policies.ts";
import { limits } from "../terms/limits.ts";
import type { Fleet } from "./fleet.ts";

/** A policy as it is written down: what is absent is the default's. */
export interface WrittenRules {
  readonly stages?: readonly WrittenStage[];
  readonly abort?: readonly (Omit<AbortRule, "minSample"> & Partial<AbortRule>)[];
  readonly confidence?: number;
  readonly stragglers?: Partial<StragglerRule>;
  readonly resume?: PolicyRules["resume"];
  readonly control?: Partial<ControlSettings> | null;
  readonly newcomers?: PolicyRules["newcomers"];
}

type WrittenStage = Omit<StagePlan, "advance" | "success"> & {
  readonly advance?: StagePlan["advance"];
  readonly success?: (Pick<SuccessRule, "share"> & Partial<SuccessRule>) | null;
};

/** A version of a policy, and what it says of itself. */
export interface Policy {
  readonly name: string;
  readonly version: number;
  readonly isPreset: boolean;
  readonly description: string | null;
  readonly createdAtUnixMs: number | null;
  readonly rules: PolicyRules;
}

export type PolicyResult =
  | { readonly ok: true; readonly policy: Policy; readonly created: boolean }
  | {
      readonly ok: false;
      readonly reason: "policy-invalid" | "preset" | "too-many-policies";
      readonly message: string;
    };

/** Attempts below this say little of a share, where a stage has more devices. */
const defaultMinSample = 20;

/** The rules that are written, on top of those of another policy. */
export function rulesOf(written: WrittenRules, base: PolicyRules = defaultPolicy): PolicyRules {
  const { stages, abort, stragglers } = written;
  return {
    stages: stages?.map(stageOfWritten) ?? base.stages,
    abort: abort?.map((rule) => ({ minSample: 1, ...rule })) ?? base.abort,
    confidence: written.confidence ?? base.confidence,
    stragglers: { ...base.stragglers, ...stragglers },
    resume: written.resume === undefined ? base.resume : written.resume,
    control: controlOf(written, base),
    newcomers: written.newcomers ?? base.newcomers,
  };
}

function controlOf({ control }: WrittenRules, base: PolicyRules): ControlSettings | null {
  if (control === undefined) return base.control;
  return control === null ? null : { ...defaultControl, ...base.control, ...control };
}

function stageOfWritten({ advance, success, ...stage }: WrittenStage): StagePlan {
  return {
    ...stage,
    advance: advance ?? "automatic",
    success:
      success == null ? null : { of: "attempted", minSample: minSampleOf(stage), ...success },
  };
}

function minSampleOf({ count = defaultMinSample }: Pick<StagePlan, "count">): number {
  return Math.min(count, defaultMinSample);
}

/** What is wrong with the rules, filters included; null of rules that a rollout may follow. */
function findRulesDefect(rules: PolicyRules): PolicyDefect | null {
  for (const [index, stage] of rules.stages.entries()) {
    const read = filterOfStage(stage);
    if (!read.ok)
      return {
        path: `stages.${index}.filter`,
        rule: `column ${read.defect.column}: ${read.defect.message}`,
      };
  }
  return findPolicyDefect(rules);
}

/**
 * Keeps a policy as the next version of its name; the same document again changes nothing. Rollouts
 * keep the version that they were planned with.
 */
export async function applyPolicy(
  fleet: Fleet,
  name: string,
  { description = null, ...written }: WrittenRules & { readonly description?: string | null },
): Promise<PolicyResult> {
  if (Object.hasOwn(presets, name))
    return refuse("preset", `${name} is a preset, which nobody changes: choose another name`);
  const rules = rulesOf(written);
  const defect = findRulesDefect(rules);
  if (defect !== null) return refuse("policy-invalid", `${defect.path}: ${defect.rule}`);
  const document = JSON.stringify({ description, rules });
  return fleet.database.write(async (unit): Promise<PolicyResult> => {
    const before = await findPolicy(unit.db, name);
    if (before?.document === document)
      return { ok: true, policy: policyOfRow(before), created: false };
    if ((await countPolicies(unit.db)) >= limits.policyVersionsMax)
      return refuse(
        "too-many-policies",
        `a server keeps at most ${limits.policyVersionsMax} versions of policies`,
      );
    const version = (before?.version ?? 0) + 1;
    const row = { name, version, document, created_at: unit.nowUnixMs };
    await insertPolicy(unit.db, row);
    return { ok: true, policy: policyOfRow(row), created: true };
  });
}

/** A policy by its name, the newest version when none is named; null of one that nobody applied. */
export async function findPolicyNamed(
  db: Queries,
  name: string,
  version: number | null = null,
): Promise<Policy | null> {
  const preset = presetNamed(name);
  if (preset !== null) return version === null || version === 1 ? preset : null;
  const row = await findPolicy(db, name, version);
  return row === undefined ? null : policyOfRow(row);
}

export function presetPolicies(): readonly Policy[] {
  return Object.keys(presets).flatMap((name) => presetNamed(name) ?? []);
}

function presetNamed(name: string): Policy | null {
  const rules = Object.hasOwn(presets, name) ? presets[name] : undefined;
  if (rules === undefined) return null;
  const told = { description: null, createdAtUnixMs: null };
  return { name, version: 1, isPreset: true, ...told, rules };
}

export function policyOfRow({ name, version, document, created_at }: PolicyRow): Policy {
  const { description, rules } = JSON.parse(document);
  const told = { isPreset: false, description, createdAtUnixMs: created_at };
  return { name, version, ...told, rules: { ...defaultPolicy, ...rules } };
}

function refuse(
  reason: Extract<PolicyResult, { ok: false }>["reason"],
  message: string,
): Extract<PolicyResult, { ok: false }> {
  return { ok: false, reason, message };
}
