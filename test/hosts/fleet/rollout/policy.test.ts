import assert from "node:assert/strict";
import { test } from "node:test";
import {
  defaultPolicy,
  findPolicyDefect,
  type PolicyRules,
  presets,
  type StagePlan,
} from "../../../../hosts/fleet/rollout/policy.ts";

const stage = (size: Partial<StagePlan>): StagePlan => ({
  soakSeconds: 60,
  advance: "automatic",
  success: null,
  ...size,
});

function defectOf(stages: readonly StagePlan[], more: Partial<PolicyRules> = {}): string | null {
  const defect = findPolicyDefect({ ...defaultPolicy, ...more, stages });
  return defect && `${defect.path}: ${defect.rule}`;
}

test("the presets are policies that come to their end", () => {
  assert.deepEqual(Object.keys(presets).sort(), [
    "1-10-50-100",
    "1-5-25-100",
    "canary-internal-pilot-general",
    "emergency",
  ]);
  for (const [name, rules] of Object.entries(presets))
    assert.equal(findPolicyDefect(rules), null, name);
});

test("stages may be of a percentage, a number of devices or a group", () => {
  const stages = [stage({ group: "canary" }), stage({ count: 10 }), stage({ percent: 50 })];
  assert.equal(defectOf(stages), null);
  for (const wrong of [
    stage({}),
    stage({ percent: 5, count: 5 }),
    stage({ group: "a", percent: 5 }),
  ])
    assert.match(defectOf([wrong]) ?? "", /^stages\.0: a stage has exactly one of/);
});

test("a stage that adds nobody is refused with its path", () => {
  assert.match(
    defectOf([stage({ percent: 10 }), stage({ percent: 10 })]) ?? "",
    /^stages\.1\.percent: each stage must have a higher percent than the one before, 10$/,
  );
  assert.match(
    defectOf([stage({ count: 10 }), stage({ count: 3 })]) ?? "",
    /^stages\.1\.count: each stage must have a higher count/,
  );
  assert.match(
    defectOf([stage({ percent: 100 }), stage({ group: "late" })]) ?? "",
    /^stages\.1: stages\.0 holds every device already/,
  );
});

test("stages with filters of their own need not rise", () => {
  const eu = stage({ percent: 10, filter: "region==eu" });
  const us = stage({ percent: 10, filter: "region==us" });
  assert.equal(defectOf([eu, us, stage({ percent: 100 })]), null);
});

test("a stage that could never have enough attempts is refused", () => {
  const success = { share: 0.9, of: "attempted", minSample: 20 } as const;
  assert.match(
    defectOf([stage({ count: 5, success })]) ?? "",
    /^stages\.0\.success\.minSample: a stage of 5 devices never has 20 attempts$/,
  );
});

test("two rules to do the same for the same metric contradict each other", () => {
  const rule = { metric: "failed", share: 0.1, minSample: 1, action: "halt" } as const;
  const abort = [rule, { ...rule, share: 0.3 }];
  assert.match(
    defectOf([stage({ percent: 100 })], { abort }) ?? "",
    /^abort\.1: there is a rule to halt for failed already$/,
  );
});
