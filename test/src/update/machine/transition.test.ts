import assert from "node:assert/strict";
import { test } from "node:test";
import { failureReasons } from "../../../../src/offer/failure-reasons.ts";
import type { Context, Event } from "../../../../src/update/machine/event.ts";
import { rollbackReasons } from "../../../../src/update/machine/reasons.ts";
import type { State } from "../../../../src/update/machine/state.ts";
import {
  hashFailuresMax,
  type Transition,
  transition,
} from "../../../../src/update/machine/transition.ts";
import {
  accepted,
  at,
  blindChecking,
  blindOffer,
  checking,
  confirmed,
  context,
  deferred,
  downloading,
  failed,
  lowBattery,
  newHash,
  offer,
  onBattery,
  otherOffer,
  passing,
  pausing,
  prepared,
  rolledBack,
  staged,
  trial,
  under,
  updated,
  verifying,
} from "./examples.ts";
import { stateText, told } from "./notation.ts";

const idle: State = { kind: "idle" };
const polled: Event = { kind: "polled", offer };
const closedWindow: Context = { ...context, windowOpen: false };
const refusing: Context = { ...context, refused: [{ imageHash: newHash, waitSeconds: null }] };
/** Rolled back for silence: the pause goes on, or is over. */
const waiting: Context = { ...context, refused: [{ imageHash: newHash, waitSeconds: 60 }] };
const waited: Context = { ...context, refused: [{ imageHash: newHash, waitSeconds: 0 }] };

/** The states after one event each, all in the same context. */
function walk(from: State, steps: readonly Event[], facts: Context = context): State {
  return steps.reduce((state, event) => transition(state, event, facts).state, from);
}

test("an update goes its whole way, one state at a time", () => {
  const way: readonly (readonly [Event, Context, string])[] = [
    [polled, context, "checking 7: report 7 proceeding checking, check 7"],
    [
      { kind: "checked", offer: accepted, lacks: null },
      context,
      "downloading 7: report 7 download downloading, prepare 7",
    ],
    [{ kind: "prepared" }, context, "downloading 7 prepared: download 7"],
    [{ kind: "downloaded" }, context, "verifying 7: report 7 downloaded verifying, verify 7"],
    [
      { kind: "verified" },
      context,
      "activating 7 #1: report 7 proceeding activating, prepareSwap 7",
    ],
    [{ kind: "swapPrepared" }, context, "activating 7 #1 requested: requestSwap 7"],
    [{ kind: "swapRequested" }, context, "activating 7 #1 requested: restart"],
    [
      { kind: "booted" },
      { ...updated, running: { ...updated.running, confirmed: false } },
      "trial 7: report 7 proceeding trial, validate",
    ],
    [{ kind: "healthy" }, context, "trial 7: confirm"],
    [{ kind: "confirmWritten" }, updated, "confirmed 7: report 7 closed success confirmed"],
    [{ kind: "reported", actionId: "7" }, updated, "idle"],
  ];
  let state: State = idle;
  for (const [event, facts, expected] of way) {
    const next: Transition = transition(state, event, facts);
    assert.equal(told(next), expected);
    state = next.state;
  }
});

// ---- offers

test("an offer of the image that runs is done before it begins", () => {
  const expected = "confirmed 7: report 7 closed success confirmed";
  assert.equal(told(transition(idle, polled, updated)), expected);
});

test("a check that finds the image that runs ends the update as done", () => {
  const found = transition(
    blindChecking,
    { kind: "checked", offer: accepted, lacks: null },
    updated,
  );
  assert.equal(told(found), "confirmed 7: report 7 closed success confirmed");
});

test("an image that was rolled back here is refused, before the check or by it", () => {
  const expected = "failed 7 rolled-back-before: report 7 closed failure failed rolled-back-before";
  assert.equal(told(transition(idle, polled, refusing)), expected);
  assert.equal(
    told(transition(blindChecking, { kind: "checked", offer: accepted, lacks: null }, refusing)),
    expected,
  );
});

test("an offer without an image hash is checked, whatever was rolled back", () => {
  const next = transition(idle, { kind: "polled", offer: blindOffer }, refusing);
  assert.equal(stateText(next.state), "checking 7");
});

test("another offer in the middle takes the place of the first, in every state before the swap", () => {
  for (const state of [checking, downloading, prepared, verifying, staged]) {
    const next = transition(state, { kind: "polled", offer: otherOffer }, context);
    assert.equal(
      told(next),
      "checking 8: abandon, report 8 proceeding checking, check 8",
      stateText(state),
    );
  }
});

test("a late result of the offer that was replaced means nothing to the new one", () => {
  const replaced = transition(prepared, { kind: "polled", offer: otherOffer }, context).state;
  for (const event of [{ kind: "downloaded" }, { kind: "prepared" }, { kind: "verified" }] as const)
    assert.deepEqual(transition(replaced, event, context), { state: replaced, effects: [] });
});

test("two actions in a row: a finished one makes room for the next at the same poll", () => {
  for (const state of [confirmed, rolledBack, failed, passing, deferred]) {
    const next = transition(state, { kind: "polled", offer: otherOffer }, context);
    assert.equal(told(next), "checking 8: report 8 proceeding checking, check 8", stateText(state));
  }
});

// ---- failures

for (const reason of failureReasons) {
  test(`a check that fails for good with ${reason} ends the release`, () => {
    const next = transition(
      checking,
      { kind: "checkFailed", reason, passing: false, retryAfterMs: 0 },
      context,
    );
    assert.equal(told(next), `failed 7 ${reason}: report 7 closed failure failed ${reason}`);
  });

  if (reason !== "hash-mismatch")
    test(`a download that fails for now with ${reason} goes on at the next offer`, () => {
      const event = { kind: "downloadFailed", reason, passing: true, retryAfterMs: 0 } as const;
      const next = transition(prepared, event, context);
      const expected = `failed 7 ${reason} > downloading 7 prepared`;
      assert.equal(told(next), `${expected}: report 7 proceeding failed ${reason}`);
      const resumed = transition(next.state, polled, context);
      assert.deepEqual(resumed.state, prepared);
    });
}

test("what failed for now goes on from the address of the new offer", () => {
  const url = "http://elsewhere/file?signature=2";
  const next = transition(passing, { kind: "polled", offer: at(offer, url) }, context);
  assert.deepEqual(next.state, { ...prepared, offer: at(accepted, url) });
  const effect = next.effects.find(({ kind }) => kind === "download");
  assert.deepEqual(effect, { kind: "download", offer: at(accepted, url) });
  const fromCheck: State = {
    kind: "failed",
    offer,
    reason: "network",
    resume: checking,
    retryAtUnixMs: null,
  };
  const again = transition(fromCheck, { kind: "polled", offer: at(offer, url) }, context);
  assert.deepEqual(again.state, { kind: "checking", offer: at(offer, url) });
});

test("another file under the same action begins anew, also after a failure for good", () => {
  const changed = under(otherOffer, offer.source.actionId);
  for (const state of [passing, failed, deferred, confirmed])
    assert.deepEqual(
      transition(state, { kind: "polled", offer: changed }, context).state,
      { kind: "checking", offer: changed },
      stateText(state),
    );
});

test("a failure for good is told at every poll that names its action, and never tried again", () => {
  let state: State = failed;
  for (let poll = 0; poll < 5; poll += 1) {
    const next = transition(state, polled, context);
    assert.equal(told(next), "failed 7 flash-error: report 7 closed failure failed flash-error");
    state = transition(next.state, { kind: "reported", actionId: "7" }, context).state;
    assert.deepEqual(state, failed);
  }
  assert.deepEqual(transition(state, { kind: "polled", offer: null }, context).state, idle);
});

test("what failed for now ends when the server withdraws it", () => {
  assert.equal(told(transition(passing, { kind: "polled", offer: null }, context)), "idle");
});

test("a wrong hash is downloaded again from the start, and given up at the third", () => {
  const mismatch: Event = {
    kind: "downloadFailed",
    reason: "hash-mismatch",
    passing: false,
    retryAfterMs: 0,
  };
  const verifyMismatch: Event = { kind: "verifyFailed", reason: "hash-mismatch" };
  assert.equal(hashFailuresMax, 3);
  const once = walk(prepared, [mismatch]);
  assert.equal(stateText(once), "downloading 7 again 1");
  const twice = walk(once, [{ kind: "prepared" }, { kind: "downloaded" }, verifyMismatch]);
  assert.equal(stateText(twice), "downloading 7 again 2");
  const third = transition(walk(twice, [{ kind: "prepared" }]), mismatch, context);
  assert.equal(told(third), "failed 7 hash-mismatch: report 7 closed failure failed hash-mismatch");
});

test("wrong hashes are counted across pauses", () => {
  const mismatch: Event = {
    kind: "downloadFailed",
    reason: "hash-mismatch",
    passing: false,
    retryAfterMs: 0,
  };
  const broken: Event = {
    kind: "downloadFailed",
    reason: "network",
    passing: true,
    retryAfterMs: 0,
  };
  const state = walk(prepared, [mismatch, { kind: "prepared" }, broken, polled, mismatch]);
  assert.equal(stateText(state), "downloading 7 again 2");
});

// ---- power and window

test("an update waits for power before it checks, erases or downloads", () => {
  for (const [state, event, expected] of [
    [idle, polled, "deferred low-battery > checking 7"],
    [
      checking,
      { kind: "checked", offer: accepted, lacks: null },
      "deferred low-battery > downloading 7",
    ],
    [downloading, { kind: "prepared" }, "deferred low-battery > downloading 7 prepared"],
    [passing, polled, "deferred low-battery > downloading 7 prepared"],
  ] as const) {
    const next = transition(state, event, lowBattery);
    assert.equal(told(next), `${expected}: report 7 scheduled deferred low-battery`);
  }
});

test("an update waits for power, then for the window, before it asks for the swap", () => {
  const verified: Event = { kind: "verified" };
  const weak = { ...closedWindow, power: onBattery(29) };
  const first = transition(verifying, verified, weak);
  assert.equal(
    told(first),
    "deferred low-battery > staged 7: report 7 scheduled deferred low-battery",
  );
  const second = transition(first.state, polled, closedWindow);
  assert.equal(
    told(second),
    "deferred window-closed > staged 7: report 7 scheduled deferred window-closed",
  );
  const third = transition(second.state, polled, context);
  assert.equal(told(third), "activating 7 #1: report 7 proceeding activating, prepareSwap 7");
});

test("a closed window keeps nobody from downloading", () => {
  assert.equal(stateText(transition(idle, polled, closedWindow).state), "checking 7");
  const next = transition(
    checking,
    { kind: "checked", offer: accepted, lacks: null },
    closedWindow,
  );
  assert.equal(stateText(next.state), "downloading 7");
});

test("a deferral that goes on is not told again", () => {
  assert.deepEqual(transition(deferred, polled, lowBattery), { state: deferred, effects: [] });
});

test("a deferral keeps what was reached, the requests for the swap included", () => {
  const state = walk({ ...staged, requests: 2 }, [{ kind: "booted" }], closedWindow);
  assert.equal(stateText(state), "deferred window-closed > staged 7 requests 2");
  assert.equal(stateText(transition(state, polled, context).state), "activating 7 #3");
});

test("an update is deferred by every charge below the threshold and by none at it", () => {
  for (let batteryPercent = 0; batteryPercent <= 100; batteryPercent += 1) {
    const facts = { ...context, power: onBattery(batteryPercent) };
    const download: State["kind"] = transition(idle, polled, facts).state.kind;
    assert.equal(download, batteryPercent < 20 ? "deferred" : "checking");
    const activate: State["kind"] = transition(verifying, { kind: "verified" }, facts).state.kind;
    assert.equal(activate, batteryPercent < 30 ? "deferred" : "activating");
  }
});

// ---- cancel

test("a cancelled update leaves nothing behind but the answer, up to the request for the swap", () => {
  for (const state of [checking, downloading, prepared, verifying, staged]) {
    const next = transition(state, { kind: "cancelled", actionId: "7" }, context);
    assert.equal(told(next), "idle: abandon, accept cancel 7", stateText(state));
  }
});

test("from the request for the swap on, a cancellation is refused and the update goes on", () => {
  const activating = transition(verifying, { kind: "verified" }, context).state;
  const requested = transition(activating, { kind: "swapPrepared" }, context).state;
  for (const state of [activating, requested, trial, confirmed]) {
    const next = transition(state, { kind: "cancelled", actionId: "7" }, context);
    assert.deepEqual(next.state, state);
    assert.deepEqual(next.effects, [{ kind: "acknowledgeCancel", actionId: "7", accepted: false }]);
  }
});

// ---- the end of a trial

for (const reason of rollbackReasons)
  test(`a trial that ended with ${reason} is told so once the old image is back`, () => {
    const ended = transition(trial, { kind: "trialEnded", reason }, context).state;
    const back = transition(ended, { kind: "booted" }, context);
    assert.equal(
      told(back),
      `rolledBack 7 ${reason}: refuse 11${reason.endsWith("no-server") ? " after silence" : ""}, report 7 closed failure rolledBack ${reason}`,
    );
  });

// ---- an image that went back for silence

const bar = "failed 7 rolled-back-before";
const pauseOfSeven = `${bar} > checking 7: report 7 proceeding failed rolled-back-before`;
const closedSeven = `${bar}: report 7 closed failure failed rolled-back-before`;
const check7 = "checking 7: report 7 proceeding checking, check 7";
const checked: Event = { kind: "checked", offer: accepted, lacks: null };
const download7 = "downloading 7: report 7 download downloading, prepare 7";

for (const [from, event, facts, expected] of [
  [idle, polled, waiting, pauseOfSeven],
  [idle, polled, waited, check7],
  [idle, polled, refusing, closedSeven],
  [checking, checked, waiting, pauseOfSeven],
  [checking, checked, waited, download7],
  [checking, checked, refusing, closedSeven],
  [pausing, polled, waiting, `${bar} > checking 7`],
  [pausing, polled, waited, check7],
  [pausing, polled, refusing, closedSeven],
  [pausing, { kind: "booted" }, waited, `${bar} > checking 7`],
] as const satisfies readonly (readonly [State, Event, Context, string])[])
  test(`${stateText(from)} on ${event.kind}, to wait ${facts.refused[0]?.waitSeconds} s -> ${expected}`, () => {
    assert.equal(told(transition(from, event, facts)), expected);
  });

test("a pause after silence is over at once for an offer that says retry", () => {
  const again: Event = { kind: "polled", offer: { ...offer, retry: true } };
  for (const from of [idle, pausing])
    assert.equal(
      told(transition(from, again, waiting)),
      "checking 7: pardon 11, report 7 proceeding checking, check 7",
    );
});

test("a pause knows its image again under an offer that does not name it", () => {
  const blind: Event = { kind: "polled", offer: { ...offer, imageHash: null } };
  assert.deepEqual(transition(pausing, blind, waiting), { state: pausing, effects: [] });
  assert.equal(told(transition(pausing, blind, waited)), check7);
});

test("no wall clock ends a pause after silence, or holds it up", () => {
  for (const unixMs of [null, 0, Number.MAX_SAFE_INTEGER]) {
    const state = { ...pausing, retryAtUnixMs: 5 };
    assert.deepEqual(transition(state, polled, { ...waiting, unixMs }), { state, effects: [] });
    assert.equal(told(transition(state, polled, { ...waited, unixMs })), check7);
  }
});
