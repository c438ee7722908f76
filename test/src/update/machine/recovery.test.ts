import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResetReason } from "../../../../src/ports/board.ts";
import type { Context } from "../../../../src/update/machine/event.ts";
import type { State } from "../../../../src/update/machine/state.ts";
import { swapRequestsMax, transition } from "../../../../src/update/machine/transition.ts";
import {
  accepted,
  activating,
  checking,
  confirmed,
  context,
  deferred,
  downloading,
  failed,
  lowBattery,
  newHash,
  onTrial,
  otherHash,
  passing,
  prepared,
  requested,
  rolledBack,
  staged,
  states,
  trial,
  unknownTrial,
  updated,
  verifying,
} from "./examples.ts";
import { stateText, told } from "./notation.ts";

const idle: State = { kind: "idle" };
const boot = (state: State, facts: Context): string =>
  told(transition(state, { kind: "booted" }, facts));
const holding = (imageHash: typeof newHash | null, prepared: boolean): Context => ({
  ...context,
  secondary: { prepared, imageHash, securityCounter: null },
});
const unreadable: Context = { ...context, secondary: null };

// ---- the new image runs

for (const [name, state] of Object.entries(states)) {
  const isKnown =
    name !== "idle" && name !== "checking without a hash" && !name.includes("unknown");
  test(`an unconfirmed image is on trial, whatever the journal holds: ${name}`, () => {
    const expected = isKnown
      ? "trial 7: report 7 proceeding trial, validate"
      : "trial unknown: validate";
    assert.equal(boot(state, onTrial), expected);
  });
}

test("a trial is of no known action when the journal speaks of another image", () => {
  const other = { ...onTrial, running: { ...onTrial.running, imageHash: otherHash } };
  assert.equal(boot(requested, other), "trial unknown: validate");
  assert.equal(boot(trial, other), "trial unknown: validate");
});

test("a later boot of a trial remembers how the one before ended", () => {
  const later = boot({ ...trial, lastFailure: "no-server" }, onTrial);
  assert.equal(later, "trial 7 no-server: report 7 proceeding trial, validate");
});

test("a new image that runs confirmed was confirmed before the journal could say so", () => {
  const expected = "confirmed 7: report 7 closed success confirmed";
  for (const state of [activating, requested, trial, confirmed])
    assert.equal(boot(state, updated), expected, stateText(state));
});

test("a confirmed trial of an unknown action is over", () => {
  assert.equal(boot(unknownTrial, updated), "idle");
});

// ---- the old image runs again

const reasons: Readonly<Record<ResetReason, string>> = {
  "power-on": "not-confirmed",
  software: "not-confirmed",
  exception: "crashed",
  watchdog: "watchdog",
  brownout: "not-confirmed",
  "deep-sleep": "not-confirmed",
  unknown: "not-confirmed",
};
for (const [resetReason, reason] of Object.entries(reasons))
  test(`a trial that ended by a reset of ${resetReason} was rolled back as ${reason}`, () => {
    const facts = { ...holding(newHash, false), resetReason: resetReason as ResetReason };
    const expected = `rolledBack 7 ${reason}: refuse 11, report 7 closed failure rolledBack ${reason}`;
    assert.equal(boot(trial, facts), expected);
    // an image that never came so far as to write the journal
    assert.equal(boot(requested, facts), expected);
  });

for (const [lastFailure, resetReason, reason] of [
  ["no-server", "software", "no-server"],
  ["no-server", "power-on", "no-server"],
  ["no-server", "exception", "crashed"],
  ["no-server", "watchdog", "watchdog"],
  ["health-check", "exception", "health-check"],
] as const)
  test(`${lastFailure} in a trial and a last reset of ${resetReason} count as ${reason}`, () => {
    const silently = reason === "no-server" ? " after silence" : "";
    const expected = `rolledBack 7 ${reason}: refuse 11${silently}, report 7 closed failure rolledBack ${reason}`;
    assert.equal(boot({ ...trial, lastFailure }, { ...context, resetReason }), expected);
  });

test("a crash in one boot of a trial is not hidden by silence in the next", () => {
  const second = transition(trial, { kind: "booted" }, { ...onTrial, resetReason: "exception" });
  assert.match(told(second), /^trial 7 crashed: /);
  const silent = transition(second.state, { kind: "trialEnded", reason: "no-server" }, onTrial);
  assert.equal(told(silent), "trial 7 crashed: restart");
  const unwell = transition(silent.state, { kind: "trialEnded", reason: "peripheral" }, onTrial);
  assert.equal(told(unwell), "trial 7 peripheral: restart");
});

test("what the trial itself found goes before the reason of the last reset", () => {
  const facts = { ...context, resetReason: "watchdog" } as const;
  const ended = boot({ ...trial, lastFailure: "confirm-failed" }, facts);
  assert.match(ended, /^rolledBack 7 confirm-failed: refuse 11/);
});

test("an image that is no longer in the slot was refused by the bootloader", () => {
  const expected = "failed 7 bootloader-refused: report 7 closed failure failed bootloader-refused";
  for (const facts of [holding(null, false), holding(null, true), holding(otherHash, false)])
    for (const state of [activating, requested]) assert.equal(boot(state, facts), expected);
});

test("a request that the power cut before its end is made again", () => {
  const again = "activating 7 #2: report 7 proceeding activating, prepareSwap 7";
  assert.equal(boot(activating, holding(newHash, false)), again);
  assert.equal(boot(activating, holding(newHash, true)), again);
  assert.equal(boot(requested, holding(newHash, true)), again);
});

test("a request that is gone was swapped in and back: the image had its boots and gets no others", () => {
  assert.match(boot(requested, holding(newHash, false)), /^rolledBack 7 not-confirmed: refuse 11/);
});

test("a secondary slot that cannot be read proves nothing: the swap is asked for again", () => {
  assert.match(boot(activating, unreadable), /^activating 7 #2/);
  assert.match(boot(requested, unreadable), /^activating 7 #2/);
});

test("a swap that never comes is asked for three times", () => {
  assert.equal(swapRequestsMax, 3);
  let state: State = activating;
  const seen: string[] = [];
  for (let boots = 0; boots < 4; boots += 1) {
    state = transition(state, { kind: "booted" }, holding(newHash, true)).state;
    seen.push(stateText(state));
  }
  assert.deepEqual(seen, [
    "activating 7 #2",
    "activating 7 #3",
    "failed 7 activation-not-started",
    "failed 7 activation-not-started",
  ]);
});

test("deferrals do not start the count of requests again", () => {
  const facts = holding(newHash, true);
  const closed = { ...facts, windowOpen: false };
  let state: State = activating;
  const seen: string[] = [];
  for (let boots = 0; boots < 3; boots += 1) {
    state = transition(state, { kind: "booted" }, closed).state;
    seen.push(stateText(state));
    state = transition(state, { kind: "polled", offer: accepted }, facts).state;
    seen.push(stateText(state));
  }
  assert.deepEqual(seen, [
    "deferred window-closed > staged 7 requests 1",
    "activating 7 #2",
    "deferred window-closed > staged 7 requests 2",
    "activating 7 #3",
    "failed 7 activation-not-started",
    "failed 7 activation-not-started",
  ]);
});

// ---- the old image runs, and nothing was swapped

test("work that a reset interrupted is taken up where the journal has it, and is not told again", () => {
  assert.equal(boot(checking, context), "checking 7: check 7");
  assert.equal(boot(downloading, context), "downloading 7: prepare 7");
  assert.equal(boot(prepared, context), "downloading 7 prepared: download 7");
  assert.equal(boot(verifying, context), "verifying 7: verify 7");
});

test("a board that browned out is not sent straight back to work", () => {
  assert.match(boot(checking, lowBattery), /^deferred low-battery > checking 7:/);
  assert.match(boot(prepared, lowBattery), /^deferred low-battery > downloading 7 prepared:/);
  assert.match(boot(staged, lowBattery), /^deferred low-battery > staged 7:/);
});

test("no swap before the server said that the window is open", () => {
  const unknown = { ...holding(newHash, false), windowOpen: false };
  assert.match(boot(staged, unknown), /^deferred window-closed > staged 7:/);
  assert.match(boot(activating, unknown), /^deferred window-closed > staged 7 requests 1:/);
});

test("what waits for a poll goes on waiting", () => {
  for (const state of [idle, deferred, failed, passing])
    assert.deepEqual(transition(state, { kind: "booted" }, context), { state, effects: [] });
});

test("what the server may not know yet is told again", () => {
  assert.equal(boot(confirmed, updated), "confirmed 7: report 7 closed success confirmed");
  assert.equal(
    boot(rolledBack, context),
    "rolledBack 7 crashed: refuse 11, report 7 closed failure rolledBack crashed",
  );
});

test("a device that lost its journal begins from nothing", () => {
  assert.equal(boot(idle, context), "idle");
  assert.equal(boot(idle, holding(newHash, true)), "idle");
  assert.equal(boot(idle, updated), "idle");
});
