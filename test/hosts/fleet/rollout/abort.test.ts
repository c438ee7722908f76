import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type AbortRule,
  type AbortRules,
  breachesOf,
  breachSentence,
  findBreach,
} from "../../../../hosts/fleet/rollout/abort.ts";
import { withThreshold } from "../../../../hosts/fleet/rollout/definition.ts";
import { type MemberState, memberStates } from "../../../../hosts/fleet/rollout/member.ts";
import { defaultAbort } from "../../../../hosts/fleet/rollout/policy.ts";
import type { StageCounts, StageTally } from "../../../../hosts/fleet/rollout/tally.ts";

const noMembers = Object.fromEntries(memberStates.map((state) => [state, 0])) as Record<
  MemberState,
  number
>;

function tally(some: Partial<StageCounts>, more: Partial<StageTally> = {}): StageTally {
  return { counts: { ...noMembers, ...some }, healthFailed: 0, batteryDropped: 0, ...more };
}

const byDefault: AbortRules = { abort: defaultAbort, confidence: 0.95, acceptReported: false };

function stopped(of: StageTally, rules: AbortRules = byDefault): string | null {
  const breach = findBreach(of, rules, ({ action }) => action !== "notify");
  return breach && breachSentence(breach);
}

test("nine of the first ten stop a stage of a thousand at once", () => {
  assert.equal(
    stopped(tally({ waiting: 990, updated: 1, "rolled-back": 9 })),
    "9 of 10 rolled back, lower bound 65.2 % over 5 %: halted",
  );
});

test("one of three does not stop a stage of three hundred, nor does any single device", () => {
  assert.equal(stopped(tally({ waiting: 297, updated: 2, "rolled-back": 1 })), null);
  assert.equal(stopped(tally({ waiting: 999, "rolled-back": 1 })), null);
});

test("every device of a stage stops it, however few they are", () => {
  assert.equal(
    stopped(tally({ "rolled-back": 1 })),
    "1 of 1 rolled back, every device of the stage, over 5 %: halted",
  );
  assert.match(stopped(tally({ unproven: 1, excluded: 4 })) ?? "", /^1 of 1 rolled back/);
  assert.match(stopped(tally({ failed: 2 })) ?? "", /^2 of 2 failed/);
  assert.equal(stopped(tally({ "rolled-back": 1, waiting: 1 })), null);
});

test("the bound, not the share, must be over the limit", () => {
  assert.equal(stopped(tally({ updated: 94, "rolled-back": 6 })), null);
  assert.equal(stopped(tally({ updated: 92, "rolled-back": 8 })), null);
  assert.equal(
    stopped(tally({ updated: 90, "rolled-back": 10 })),
    "10 of 100 rolled back, lower bound 6.1 % over 5 %: halted",
  );
});

test("counts who never proved what it runs, and who cannot go back, as rolled back", () => {
  const sentence = stopped(tally({ updated: 10, "rolled-back": 1, unproven: 1, stuck: 1 }));
  assert.match(sentence ?? "", /^3 of 13 rolled back/);
});

test("silence alone stops a stage, by a limit of its own", () => {
  assert.equal(stopped(tally({ updated: 30, "no-link": 3 })), null);
  assert.match(stopped(tally({ updated: 30, "no-link": 20 })) ?? "", /^20 of 50 fell silent/);
});

test("warns before it stops", () => {
  const told = breachesOf(tally({ updated: 185, "rolled-back": 6 }), byDefault);
  assert.deepEqual(told.map(breachSentence), [
    "6 of 191 rolled back, lower bound 1.6 % over 1 %: warned",
  ]);
});

test("failed health checks have limits of their own", () => {
  const rules = {
    ...byDefault,
    abort: withThreshold(defaultAbort, { rolledBackShare: 1, healthFailedShare: 0.2 }),
  };
  const some = tally({ updated: 20, "rolled-back": 12 }, { healthFailed: 11 });
  assert.match(stopped(some, rules) ?? "", /^11 of 32 failed a health check/);
});

test("of two rules that are broken the one that does more counts", () => {
  const rule = (share: number, action: AbortRule["action"]): AbortRule => ({
    metric: "failed",
    share,
    minSample: 1,
    action,
  });
  const rules = {
    ...byDefault,
    abort: [rule(0.1, "pause"), rule(0.5, "cancel"), rule(0.3, "halt")],
  };
  assert.match(stopped(tally({ updated: 5, failed: 5, waiting: 9 }), rules) ?? "", /: paused$/);
  assert.match(stopped(tally({ updated: 5, failed: 15 }), rules) ?? "", /: cancelled$/);
});

test("a sample below the smallest of the rule says nothing", () => {
  const abort = [{ metric: "failed", share: 0.1, minSample: 20, action: "halt" }] as const;
  const rules = { ...byDefault, abort };
  assert.equal(stopped(tally({ failed: 19, waiting: 1 }), rules), null);
  assert.match(stopped(tally({ failed: 20, waiting: 1 }), rules) ?? "", /^20 of 20 failed/);
});

test("a threshold of 1 lets everything pass; who accepts rollbacks accepts those for a health check", () => {
  const all = tally({ "rolled-back": 10 }, { healthFailed: 10 });
  const rules = { ...byDefault, abort: withThreshold(defaultAbort, { rolledBackShare: 1 }) };
  assert.equal(stopped(all, rules), null);
});

test("a threshold for a metric without a rule makes one", () => {
  const rules = { ...byDefault, abort: withThreshold([], { failedShare: 0.5 }) };
  assert.match(stopped(tally({ failed: 3 }), rules) ?? "", /over 50 %: halted$/);
});
