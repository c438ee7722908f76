import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { failureReasons } from "../../../../src/offer/failure-reasons.ts";
import type { AcceptedOffer, Offer } from "../../../../src/offer/offer.ts";
import { noWindows } from "../../../../src/policy/windows.ts";
import type { Context, Event } from "../../../../src/update/machine/event.ts";
import { rollbackReasons } from "../../../../src/update/machine/reasons.ts";
import type { State } from "../../../../src/update/machine/state.ts";
import { transition } from "../../../../src/update/machine/transition.ts";
import {
  accepted,
  context,
  newHash,
  offer,
  otherHash,
  otherOffer,
  runningHash,
  states,
} from "./examples.ts";
import { stateText } from "./notation.ts";

const offers: readonly Offer[] = [
  offer,
  otherOffer,
  { ...offer, imageHash: null },
  { ...otherOffer, approved: true, retry: true },
];
const acceptedOffers: readonly AcceptedOffer[] = [
  accepted,
  { ...otherOffer, imageHash: otherHash, overridesWindows: true },
];
const hashes = [runningHash, newHash, otherHash];

const actionId = fc.constantFrom("7", "8", "9");
const reason = fc.constantFrom(...failureReasons);
const passing = fc.boolean();

const anyEvent: fc.Arbitrary<Event> = fc.oneof(
  fc.constantFrom<Event>(
    { kind: "booted" },
    { kind: "resumed" },
    { kind: "prepared" },
    { kind: "downloaded" },
    { kind: "verified" },
    { kind: "swapPrepared" },
    { kind: "swapRequested" },
    { kind: "healthy" },
    { kind: "confirmWritten" },
    { kind: "confirmFailed" },
    { kind: "destabilized", trigger: "reboots" },
    { kind: "rollbackBarred", trigger: "leak" },
    { kind: "rollbackRequested" },
    { kind: "rollbackFailed" },
    { kind: "approved" },
    { kind: "tick" },
    { kind: "exhausted" },
  ),
  fc.record({ kind: fc.constant("polled"), offer: fc.constantFrom(null, ...offers) }),
  fc.record({
    kind: fc.constant("offerRefused"),
    actionId,
    reason: fc.constantFrom("malformed-deployment", "unsupported-deployment"),
  }),
  fc.record({ kind: fc.constant("cancelled"), actionId }),
  fc.record({ kind: fc.constant("reported"), actionId }),
  fc.record({
    kind: fc.constant("checked"),
    offer: fc.constantFrom(...acceptedOffers),
    lacks: fc.constantFrom(null, "major-not-approved", "breaking-not-approved"),
  }),
  fc.record({ kind: fc.constant("checkFailed"), reason, passing, retryAfterMs: fc.nat(60_000) }),
  fc.record({ kind: fc.constant("downloadFailed"), reason, passing, retryAfterMs: fc.nat(60_000) }),
  fc.record({ kind: fc.constant("verifyFailed"), reason }),
  fc.record({ kind: fc.constant("swapFailed"), reason }),
  fc.record({ kind: fc.constant("trialEnded"), reason: fc.constantFrom(...rollbackReasons) }),
);

const anyContext: fc.Arbitrary<Context> = fc.record({
  running: fc.record({
    version: fc.constant("1.0.0"),
    imageHash: fc.constantFrom(...hashes),
    confirmed: fc.boolean(),
  }),
  resetReason: fc.constantFrom("power-on", "software", "exception", "watchdog"),
  secondary: fc.option(
    fc.record({
      prepared: fc.boolean(),
      imageHash: fc.constantFrom(null, ...hashes),
      securityCounter: fc.constant(null),
    }),
  ),
  power: fc.record({
    batteryPercent: fc.constantFrom(null, 0, 25, 100),
    charging: fc.boolean(),
    supply: fc.constantFrom("mains", "battery"),
  }),
  powerPolicy: fc.constant(context.powerPolicy),
  trial: fc.constant(context.trial),
  landedBytes: fc.nat(200_000),
  runningBytes: fc.constant(context.runningBytes),
  windows: fc.constantFrom(noWindows, { ...noWindows, download: [], install: [] }),
  unixMs: fc.constantFrom(null, 1_764_000_000_000),
  windowOpen: fc.boolean(),
  asksBeforeInstall: fc.boolean(),
  approvedFile: fc.constantFrom(null, offer.fileHash),
  networkDown: fc.boolean(),
  refused: fc.uniqueArray(
    fc.record({
      imageHash: fc.constantFrom(...hashes),
      waitSeconds: fc.constantFrom(null, 0, 60),
    }),
    { selector: ({ imageHash }) => imageHash },
  ),
  soaking: fc.constantFrom(null, accepted),
});

const anyState = fc.constantFrom(...Object.values(states));
const steps = fc.array(fc.tuple(anyEvent, anyContext), { maxLength: 40 });

/** Steps from a state, each with what was before it. */
function* run(from: State, list: readonly (readonly [Event, Context])[]) {
  let state = from;
  for (const [event, facts] of list) {
    const next = transition(state, event, facts);
    yield { before: state, event, facts, ...next };
    state = next.state;
  }
}

test("no sequence of events throws, and every state that comes of one can be named", () => {
  fc.assert(
    fc.property(anyState, steps, (from, list) => {
      for (const step of run(from, list)) assert.notEqual(stateText(step.state), "");
    }),
  );
});

const rebooting = ["requestSwap", "requestRollback", "restart"];

test("nothing that may reboot is done before the state has changed, so that it is stored first", () => {
  fc.assert(
    fc.property(anyState, steps, (from, list) => {
      for (const { before, event, state, effects } of run(from, list)) {
        const mayReboot = effects.some(({ kind }) => rebooting.includes(kind));
        if (!mayReboot) continue;
        const isRepeat = JSON.stringify(before) === JSON.stringify(state);
        // A repeat of the very same event finds its state stored already.
        const wasStored =
          (event.kind === "swapRequested" && state.kind === "activating" && state.requested) ||
          (state.kind === "trial" && state.lastFailure !== null) ||
          (before.kind === "rollingBack" && state.kind === "rollingBack");
        assert.ok(!isRepeat || wasStored, `${stateText(before)} on ${event.kind}`);
      }
    }),
  );
});

test("a swap is asked for only from a state that names its offer, with power and in the window", () => {
  fc.assert(
    fc.property(anyState, steps, (from, list) => {
      for (const { facts, state, effects } of run(from, list))
        for (const effect of effects) {
          if (effect.kind !== "prepareSwap") continue;
          assert.ok(state.kind === "activating" && !state.requested);
          assert.equal(state.offer, effect.offer);
          const overrides = state.offer.forced && state.offer.overridesWindows;
          assert.ok(overrides || (facts.windowOpen && facts.windows.install === null));
          const { batteryPercent, supply } = facts.power;
          assert.ok(supply === "mains" || batteryPercent === null || batteryPercent >= 30);
          assert.ok(!facts.asksBeforeInstall || facts.approvedFile === state.offer.fileHash);
        }
    }),
  );
});

test("at most one piece of work is begun at a time, and none is left to run for nobody", () => {
  const work = ["check", "prepare", "download", "verify"];
  const working = ["checking", "downloading", "verifying"];
  fc.assert(
    fc.property(anyState, steps, (from, list) => {
      for (const { before, event, state, effects } of run(from, list)) {
        const begun = effects.filter(({ kind }) => work.includes(kind));
        assert.ok(begun.length <= 1);
        assert.ok(begun.length === 0 || working.includes(state.kind));
        const isResult = /^(checked|checkFailed|prepared|download|verif)/.test(event.kind);
        const isStart = event.kind === "booted" || event.kind === "resumed";
        const leavesWork = working.includes(before.kind) && !working.includes(state.kind);
        const isAbandoned = effects.some(({ kind }) => kind === "abandon");
        if (leavesWork && !isResult && !isStart) assert.ok(isAbandoned);
      }
    }),
  );
});

test("an image that was rolled back here is never begun again while its hash is known", () => {
  fc.assert(
    fc.property(anyContext, fc.constantFrom(...offers), (facts, polled) => {
      if (polled.retry) return;
      const refused = facts.refused.find(({ imageHash }) => imageHash === polled.imageHash);
      if (refused === undefined || refused.waitSeconds === 0) return;
      const next = transition({ kind: "idle" }, { kind: "polled", offer: polled }, facts);
      assert.ok(next.state.kind === "failed" || next.state.kind === "confirmed");
      const isOver = next.state.kind === "failed" && next.state.resume === null;
      if (next.state.kind === "failed") assert.equal(isOver, refused.waitSeconds === null);
    }),
  );
});

test("without a new offer everything comes to rest: no event is answered by itself for ever", () => {
  // Each effect is answered by the event that it leads to; a poll is not among them.
  const answers: Readonly<Record<string, readonly Event[]>> = {
    check: [
      { kind: "checked", offer: accepted, lacks: null },
      { kind: "checkFailed", reason: "network", passing: true, retryAfterMs: 0 },
    ],
    prepare: [
      { kind: "prepared" },
      { kind: "downloadFailed", reason: "flash-error", passing: false, retryAfterMs: 0 },
    ],
    download: [
      { kind: "downloaded" },
      { kind: "downloadFailed", reason: "hash-mismatch", passing: false, retryAfterMs: 0 },
    ],
    verify: [{ kind: "verified" }, { kind: "verifyFailed", reason: "hash-mismatch" }],
    prepareSwap: [{ kind: "swapPrepared" }, { kind: "swapFailed", reason: "flash-error" }],
    requestSwap: [{ kind: "swapRequested" }, { kind: "swapFailed", reason: "flash-error" }],
    requestRollback: [{ kind: "rollbackRequested" }, { kind: "rollbackFailed" }],
    confirm: [{ kind: "confirmWritten" }, { kind: "confirmFailed" }],
    report: [{ kind: "reported", actionId: "7" }],
  };
  const stepsMax = 40;
  fc.assert(
    fc.property(
      anyState,
      anyEvent,
      anyContext,
      fc.array(fc.nat(1)),
      (from, event, facts, choices) => {
        const queue: Event[] = [event];
        let state = from;
        let count = 0;
        for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
          count += 1;
          assert.ok(count < stepsMax, `still at it: ${stateText(state)} on ${next.kind}`);
          const { state: after, effects } = transition(state, next, facts);
          state = after;
          for (const { kind } of effects) {
            const [usual, other] = answers[kind] ?? [];
            const answer = choices[count] === 1 ? (other ?? usual) : usual;
            if (answer !== undefined) queue.push(answer);
          }
        }
      },
    ),
    { numRuns: 300 },
  );
});
