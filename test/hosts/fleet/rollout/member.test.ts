import assert from "node:assert/strict";
import { test } from "node:test";
import {
  afterEvidence,
  type Evidence,
  type MemberState,
  memberStates,
} from "../../../../hosts/fleet/rollout/member.ts";
import { type DeviceStateWord, deviceStateWords } from "../../../../src/protocol/device-states.ts";
import { executions } from "../../../../src/protocol/executions.ts";

const target = "aa".repeat(32);
const other = "bb".repeat(32);

function runs(
  imageHash: string,
  state: "confirmed" | "trial",
  more: { readonly isNewerRelease?: boolean; readonly serverWasOut?: boolean } = {},
): Evidence {
  const confirmed = state === "confirmed";
  const usual = { isNewerRelease: false, serverWasOut: false };
  return { kind: "running", imageHash, confirmed, ...usual, ...more };
}

function says(
  execution: (typeof executions)[number],
  finished: "none" | "success" | "failure" = "none",
  deviceState: DeviceStateWord | null = null,
  mayTryAgain = false,
): Evidence {
  const plain = { reason: null, told: null, serverWasOut: false, mayTryAgain };
  return { kind: "feedback", execution, finished, deviceState, ...plain };
}

/** Closes with failure, says that it went back, and why. */
function wentBack(reason: string, serverWasOut = false, mayTryAgain = false): Evidence {
  const said = { execution: "closed", finished: "failure", deviceState: "rolled-back" } as const;
  return { kind: "feedback", ...said, reason, told: null, serverWasOut, mayTryAgain };
}

const cannotGoBack: Evidence = {
  kind: "feedback",
  execution: "proceeding",
  finished: "none",
  deviceState: "confirmed",
  reason: "rollback-impossible: counter",
  told: null,
  serverWasOut: true,
  mayTryAgain: true,
};

function next(state: MemberState, evidence: Evidence): MemberState {
  return afterEvidence({ state, reason: null }, target, evidence).state;
}

/** For each evidence, what every state becomes, in the order of `memberStates`; "." stays. */
const table: ReadonlyArray<readonly [string, Evidence, string]> = [
  // waiting offered working deferred activating trial reported updated rolled-back failed unproven
  // withdrawn excluded no-server no-link stuck silent
  ["runs the release, confirmed", runs(target, "confirmed"), "u u u u u u u . u u u u u u u . u"],
  ["runs the release on trial", runs(target, "trial"), "t t t t t . t t t t . t t t t . t"],
  ["runs another image", runs(other, "confirmed"), ". . . . . b . b . . . . . . . b b"],
  [
    "runs a newer release",
    runs(other, "confirmed", { isNewerRelease: true }),
    ". . . . . . . . . . . . . . . . .",
  ],
  ["is offered", { kind: "offered" }, "o . . . . . . . . . . o . . . . ."],
  ["fetches the file", { kind: "fetched" }, ". w . . . . . . . . . . . . . . ."],
  ["is cancelled", { kind: "cancelled" }, ". d d d . . . . . . . . . . . . ."],
  ["is cleared", { kind: "cleared" }, ". . . . . . . . n n n . n n n u u"],
  ["is not eligible", { kind: "ineligible", reason: "x" }, "x x x x . . . . . . . x . . . . ."],
  ["keeps silent too long", { kind: "proof-overdue" }, ". . . . s s s . . . . . . . . . ."],
  ["says success", says("closed", "success"), "r r r r r r . . . r r r r . . . ."],
  ["says failure", says("closed", "failure"), "f f f f f f f . . . f f f . . . ."],
  [
    "says it went back",
    says("closed", "failure", "rolled-back"),
    "b b b b b b b . . b b b b b b . .",
  ],
  ["says it waits", says("scheduled", "none", "deferred"), "e e e . e . . . . e e e e . . . ."],
  ["rejects", says("rejected"), "e e e . e . . . . e e e e . . . ."],
  [
    "says it activates",
    says("proceeding", "none", "activating"),
    "a a a a . . . . . a a a a . . . .",
  ],
  ["downloads", says("download"), "w w . w . . . . . w w w w . . . ."],
  [
    "runs another image after the server was out",
    runs(other, "confirmed", { serverWasOut: true }),
    ". . . . . q . q . . . . . . . b q",
  ],
  ["is due to try again", { kind: "retry-due" }, ". . . . . . . . . . . . . n n . ."],
  [
    "missed the server, which was there",
    wentBack("no-server"),
    "b b b b b b b . . b b b b . . . .",
  ],
  [
    "missed the server, which was out",
    wentBack("no-server", true),
    "q q q q q q q . . q q q q . . . .",
  ],
  [
    "crashed while the server was out",
    wentBack("crashed", true),
    "b b b b b b b . b b b b b b b . .",
  ],
  ["went back late", wentBack("late-rollback:leak", true), "b b b b b b b b b b b b b b b b b"],
  [
    "went back late from a server that was out",
    wentBack("late-rollback:no-server", true),
    "q q q q q q q q . q q q q . . q q",
  ],
  [
    "went back late from a server that was there",
    wentBack("late-rollback:no-server"),
    "b b b b b b b b b b b b b . . b b",
  ],
  [
    "missed the server, which was there, and may try again",
    wentBack("no-server", false, true),
    "l l l l l l l . . l l l l . . . .",
  ],
  [
    "went back late for silence, and may try again",
    wentBack("late-rollback:no-server", false, true),
    "l l l l l l l l . l l l l . . l l",
  ],
  [
    "crashed, and might have tried again",
    wentBack("crashed", false, true),
    "b b b b b b b . b b b b b b b . .",
  ],
  ["was not heard of", { kind: "silence" }, ". d d d . . . . . . . . . . . . ."],
  ["fell silent", { kind: "fell-silent" }, ". . . . . . . i . . . . . . . . ."],
  ["is heard again", { kind: "heard" }, ". . . . . . . . . . . . . . . . u"],
  ["cannot go back", cannotGoBack, ". . . . k k k k . . k . . . . k k"],
  [
    "tells the wanted configuration",
    { kind: "configured", version: 5, wanted: 5 },
    ". . . . . . u . . . u . . . . . .",
  ],
  [
    "tells an older configuration",
    { kind: "configured", version: 4, wanted: 5 },
    ". . . . . . . b . . . . . . . . b",
  ],
  [
    "tells a newer configuration",
    { kind: "configured", version: 6, wanted: 5 },
    ". . . . . . . . . . . . . . . . .",
  ],
  ["gives up", says("canceled", "none", null, true), "d d d d d d d . . . d . . . . . ."],
  ["gives up once too often", says("canceled"), "f f f f f f f . . . f f . . . . ."],
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
  q: "no-server",
  l: "no-link",
  k: "stuck",
  i: "silent",
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
        for (const deviceState of [null, ...Object.values(deviceStateWords)])
          if (state !== "updated")
            assert.notEqual(next(state, says(execution, finished, deviceState)), "updated");
});

test("stays the same object's worth when evidence changes nothing", () => {
  const member = { state: "updated", reason: null } as const;
  assert.equal(afterEvidence(member, target, runs(target, "confirmed")), member);
});

test("is tried again for silence when only its running image told before that it went back", () => {
  for (const reason of ["reverted", "runs-another-image"])
    assert.deepEqual(
      afterEvidence({ state: "rolled-back", reason }, target, wentBack("no-server", false, true)),
      { state: "no-link", reason: "no-server" },
    );
  const crashed = { state: "rolled-back", reason: "crashed" } as const;
  assert.deepEqual(afterEvidence(crashed, target, wentBack("no-server", false, true)), {
    state: "rolled-back",
    reason: "no-server",
  });
});
