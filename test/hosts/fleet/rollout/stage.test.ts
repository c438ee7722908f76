import assert from "node:assert/strict";
import { test } from "node:test";
import { type MemberState, memberStates } from "../../../../hosts/fleet/rollout/member.ts";
import type { Advance, SuccessRule } from "../../../../hosts/fleet/rollout/policy.ts";
import {
  evaluateStage,
  type StageRules,
  type StageVerdict,
} from "../../../../hosts/fleet/rollout/stage.ts";
import type { StageCounts } from "../../../../hosts/fleet/rollout/tally.ts";

const rules: StageRules = {
  abort: [],
  confidence: 0.95,
  stragglers: { allowedShare: 0.1, afterSeconds: 1000 },
  acceptReported: false,
};

const noMembers = Object.fromEntries(memberStates.map((state) => [state, 0])) as Record<
  MemberState,
  number
>;

interface At {
  readonly nowMs?: number;
  readonly settledMs?: number | null;
  readonly soakSeconds?: number;
  readonly rules?: StageRules;
  readonly joined?: number;
  readonly success?: SuccessRule;
  readonly advance?: Advance;
  readonly approvals?: number;
}

function verdictOf(some: Partial<StageCounts>, at: At = {}): StageVerdict {
  const all = Object.values(some).reduce((sum, count) => sum + count, 0);
  return evaluateStage(
    {
      counts: { ...noMembers, ...some },
      healthFailed: 0,
      batteryDropped: 0,
      joined: at.joined ?? all,
      soakSeconds: at.soakSeconds ?? 60,
      success: at.success ?? null,
      advance: at.advance ?? "automatic",
      approvals: at.approvals ?? 0,
      openedAtMs: 0,
      settledAtMs: at.settledMs ?? null,
    },
    at.rules ?? rules,
    at.nowMs ?? 0,
  );
}

function judge(some: Partial<StageCounts>, at: At = {}): string {
  return verdictOf(some, at).kind;
}

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

test("is settled by a share of the attempts, once enough have an outcome", () => {
  const success = { share: 0.9, of: "attempted", minSample: 20 } as const;
  assert.equal(judge({ updated: 19, waiting: 81 }, { success }), "in-progress");
  assert.equal(judge({ updated: 20, waiting: 80 }, { success }), "soaking");
  assert.equal(judge({ updated: 18, failed: 3, waiting: 79 }, { success }), "in-progress");
  assert.equal(judge({ updated: 27, failed: 3, waiting: 70 }, { success }), "soaking");
});

test("asks of a small stage no more attempts than it has members", () => {
  const success = { share: 0.9, of: "attempted", minSample: 20 } as const;
  assert.equal(judge({ updated: 4, waiting: 1 }, { success }), "in-progress");
  assert.equal(judge({ updated: 5 }, { success }), "soaking");
});

test("counts as reachable who was heard of and has no outcome, not who is silent", () => {
  const success = { share: 0.9, of: "reachable", minSample: 1 } as const;
  assert.equal(judge({ updated: 8, working: 2 }, { success }), "in-progress");
  assert.equal(judge({ updated: 9, working: 1, offered: 50, waiting: 50 }, { success }), "soaking");
  assert.deepEqual(verdictOf({ updated: 8, working: 2 }, { success }), {
    kind: "in-progress",
    waitsFor: "8 of 10 reachable succeeded, 80 % below 90 %",
  });
});

test("waits for an operator where its policy says so, after the soak", () => {
  const at = { advance: "manual", settledMs: 0 } as const;
  assert.equal(judge({ updated: 5 }, { ...at, nowMs: 59_999 }), "soaking");
  assert.equal(judge({ updated: 5 }, { ...at, nowMs: 60_000 }), "for-approval");
});

test("waits for as many people as its policy says", () => {
  const advance = { approvals: 2, role: "approver" };
  const at = { advance, settledMs: 0, nowMs: 60_000 };
  assert.deepEqual(verdictOf({ updated: 5 }, { ...at, approvals: 1 }), {
    kind: "for-approval",
    settledAtMs: 0,
    waitsFor: "1 of 2 approvals (approver)",
  });
  assert.equal(judge({ updated: 5 }, { ...at, approvals: 2 }), "complete");
});
