import assert from "node:assert/strict";
import { test } from "node:test";
import { type MemberState, memberStates } from "../../../../hosts/fleet/rollout/member.ts";
import {
  evaluateStage,
  findHalt,
  type StageCounts,
  type StageRules,
} from "../../../../hosts/fleet/rollout/stage.ts";

const rules: StageRules = {
  halt: { rolledBackShare: 0.05, failedShare: 0.2, noLinkShare: 0.2, attemptedMin: 20 },
  stragglers: { allowedShare: 0.1, afterSeconds: 1000 },
  acceptReported: false,
};

const noMembers = Object.fromEntries(memberStates.map((state) => [state, 0])) as Record<
  MemberState,
  number
>;

function counts(some: Partial<StageCounts>): StageCounts {
  return { ...noMembers, ...some };
}

function judge(
  some: Partial<StageCounts>,
  at: {
    nowMs?: number;
    settledMs?: number | null;
    soakSeconds?: number;
    rules?: StageRules;
    joined?: number;
  } = {},
): string {
  const all = Object.values(some).reduce((sum, count) => sum + count, 0);
  return evaluateStage(
    {
      counts: counts(some),
      joined: at.joined ?? all,
      soakSeconds: at.soakSeconds ?? 60,
      openedAtMs: 0,
      settledAtMs: at.settledMs ?? null,
    },
    at.rules ?? rules,
    at.nowMs ?? 0,
  ).kind;
}

test("halts on the share of attempts, not of the stage", () => {
  // 9 failures among the first 10 of 1000 are 0.9 % of the stage and 90 % of the attempts.
  assert.equal(judge({ waiting: 990, updated: 1, "rolled-back": 9 }), "halt");
});

test("halts on one bad device in a stage of one", () => {
  assert.equal(judge({ "rolled-back": 1 }), "halt");
  assert.equal(judge({ unproven: 1 }), "halt");
  assert.equal(judge({ failed: 1 }), "halt");
});

test("counts a device that never proved what it runs as one that went back", () => {
  const halt = findHalt(counts({ updated: 30, "rolled-back": 1, unproven: 1 }), rules);
  assert.deepEqual(halt, {
    reason: "rolled-back-share",
    bad: 2,
    attempted: 32,
    outOf: 32,
    limit: 0.05,
  });
});

test("does not halt a large stage on its very first attempt, but on its second bad one", () => {
  assert.equal(judge({ waiting: 999, "rolled-back": 1 }), "in-progress");
  assert.equal(judge({ waiting: 998, "rolled-back": 2 }), "halt");
});

test("goes on while the share is at the limit, and halts above it", () => {
  assert.equal(judge({ waiting: 100, updated: 95, "rolled-back": 5 }), "in-progress");
  assert.equal(judge({ waiting: 100, updated: 94, "rolled-back": 6 }), "halt");
});

test("failed attempts have a limit of their own", () => {
  assert.equal(judge({ waiting: 100, updated: 80, failed: 20 }), "in-progress");
  assert.equal(judge({ waiting: 100, updated: 79, failed: 21 }), "halt");
});

test("soaks once nobody is on the way, and completes after the soak", () => {
  assert.equal(judge({ updated: 9, waiting: 1 }), "in-progress");
  assert.equal(judge({ updated: 10 }, { nowMs: 5 }), "soaking");
  assert.equal(judge({ updated: 10 }, { nowMs: 60_004, settledMs: 5 }), "soaking");
  assert.equal(judge({ updated: 10 }, { nowMs: 60_005, settledMs: 5 }), "complete");
  assert.equal(judge({ updated: 10 }, { soakSeconds: 0 }), "complete");
});

for (const state of [
  "waiting",
  "offered",
  "working",
  "deferred",
  "activating",
  "trial",
  "reported",
  "withdrawn",
] as const)
  test(`is held by a device that is ${state}, until the stragglers' rule lets it go`, () => {
    assert.equal(judge({ updated: 9, [state]: 1 }, { nowMs: 999_999 }), "in-progress");
    assert.equal(judge({ updated: 9, [state]: 1 }, { nowMs: 1_000_000 }), "soaking");
    assert.equal(judge({ updated: 8, [state]: 2 }, { nowMs: 1_000_000 }), "in-progress");
  });

test("never completes by silence alone", () => {
  const nowMs = 1e12;
  assert.equal(judge({ waiting: 1 }, { nowMs }), "in-progress");
  assert.equal(judge({ reported: 10 }, { nowMs }), "in-progress");
  const lenient = { ...rules, stragglers: { allowedShare: 1, afterSeconds: 0 } };
  assert.equal(judge({ waiting: 10 }, { nowMs, rules: lenient }), "in-progress");
});

test("takes the word of devices only when it is told to", () => {
  assert.equal(judge({ reported: 10 }, { rules: { ...rules, acceptReported: true } }), "soaking");
});

test("is complete without members only when it never had any", () => {
  assert.equal(judge({}, { joined: 0 }), "complete");
  assert.equal(judge({}, { joined: 1 }), "emptied");
  assert.equal(judge({ excluded: 3 }), "emptied");
});

test("halts on silence alone, by a limit of its own, and not on one silent device of many", () => {
  assert.equal(judge({ updated: 30, "no-link": 3 }), "in-progress");
  const halt = findHalt(counts({ updated: 30, "no-link": 8 }), rules);
  assert.deepEqual(halt, {
    reason: "no-link-share",
    bad: 8,
    attempted: 38,
    outOf: 38,
    limit: 0.2,
  });
});
