import assert from "node:assert/strict";
import { test } from "node:test";
import {
  afterEvidence,
  deviceStates,
  type Evidence,
  executions,
  type MemberState,
  memberStates,
} from "../../../../hosts/fleet/rollout/member.ts";

const target = "aa".repeat(32);
const other = "bb".repeat(32);

function runs(imageHash: string, state: "confirmed" | "trial", isNewerRelease = false): Evidence {
  return { kind: "running", imageHash, confirmed: state === "confirmed", isNewerRelease };
}

function says(
  execution: (typeof executions)[number],
  finished: "none" | "success" | "failure" = "none",
  deviceState: (typeof deviceStates)[number] | null = null,
): Evidence {
  return { kind: "feedback", execution, finished, deviceState, reason: null };
}

function next(state: MemberState, evidence: Evidence): MemberState {
  return afterEvidence({ state, reason: null }, target, evidence).state;
}

/** For each evidence, what every state becomes, in the order of `memberStates`; "." stays. */
const table: ReadonlyArray<readonly [string, Evidence, string]> = [
  // waiting offered working deferred activating trial reported updated rolled-back failed unproven withdrawn excluded
  ["runs the release, confirmed", runs(target, "confirmed"), "u u u u u u u . u u u u u"],
  ["runs the release on trial", runs(target, "trial"), "t t t t t . t t t t . t t"],
  ["runs another image", runs(other, "confirmed"), ". . . . . b . b . . . . ."],
  ["runs a newer release", runs(other, "confirmed", true), ". . . . . . . . . . . . ."],
  ["is offered", { kind: "offered" }, "o . . . . . . . . . . o ."],
  ["fetches the file", { kind: "fetched" }, ". w . . . . . . . . . . ."],
  ["is cancelled", { kind: "cancelled" }, ". d d d . . . . . . . . ."],
  ["is cleared", { kind: "cleared" }, ". . . . . . . . n n n . n"],
  ["is not eligible", { kind: "ineligible", reason: "x" }, "x . . . . . . . . . . x ."],
  ["keeps silent too long", { kind: "proof-overdue" }, ". . . . s s s . . . . . ."],
  ["says success", says("closed", "success"), "r r r r r r . . . r r r r"],
  ["says failure", says("closed", "failure"), "f f f f f f f . . . f f f"],
  ["says it went back", says("closed", "failure", "rolled-back"), "b b b b b b b . . b b b b"],
  ["says it waits", says("scheduled", "none", "deferred"), "e e e . e e e . . e e e e"],
  ["rejects", says("rejected"), "e e e . e e e . . e e e e"],
  ["says it activates", says("proceeding", "none", "activating"), "a a a a . . a . . a a a a"],
  ["downloads", says("download"), "w w . w w w w . . w w w w"],
  ["cancels", says("canceled"), "d d d d d d d . . d d . d"],
];

const letters: Readonly<Record<string, MemberState>> = {
  n: "waiting",
  o: "offered",
  w: "working",
  e: "deferred",
  a: "activating",
  t: "trial",
  r: "reported",
  u: "updated",
  b: "rolled-back",
  f: "failed",
  s: "unproven",
  d: "withdrawn",
  x: "excluded",
};

for (const [name, evidence, row] of table)
  test(`a member that ${name}`, () => {
    const expected = row.split(" ");
    assert.equal(expected.length, memberStates.length);
    for (const [index, state] of memberStates.entries()) {
      const letter = expected[index] ?? "";
      const wanted = letter === "." ? state : letters[letter];
      assert.equal(next(state, evidence), wanted, `${state} that ${name}`);
    }
  });

test("is updated by nothing but the running image", () => {
  for (const state of memberStates)
    for (const execution of executions)
      for (const finished of ["none", "success", "failure"] as const)
        for (const deviceState of [null, ...deviceStates])
          if (state !== "updated")
            assert.notEqual(next(state, says(execution, finished, deviceState)), "updated");
});

test("stays the same object's worth when evidence changes nothing", () => {
  const member = { state: "updated", reason: null } as const;
  assert.equal(afterEvidence(member, target, runs(target, "confirmed")), member);
});
