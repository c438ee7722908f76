import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceStateWords } from "../../../../src/protocol/device-states.ts";
import type { Event } from "../../../../src/update/machine/event.ts";
import { transition } from "../../../../src/update/machine/transition.ts";
import { at, context, events, offer, onTrial, otherOffer, states, under } from "./examples.ts";
import { stateText, told } from "./notation.ts";

/** Every kind of event, those that depend on what they carry in each of their faces. */
const faces: Readonly<Record<string, Event>> = {
  ...events,
  "polled other": { kind: "polled", offer: otherOffer },
  "polled nothing": { kind: "polled", offer: null },
  "polled another file": { kind: "polled", offer: under(otherOffer, "7") },
  "offerRefused other": { kind: "offerRefused", actionId: "8", reason: "unsupported-deployment" },
  "cancelled other": { kind: "cancelled", actionId: "8" },
  "checkFailed passing": {
    kind: "checkFailed",
    reason: "server-error",
    passing: true,
    retryAfterMs: 0,
  },
  "downloadFailed for good": {
    kind: "downloadFailed",
    reason: "flash-error",
    passing: false,
    retryAfterMs: 0,
  },
  "downloadFailed hash": {
    kind: "downloadFailed",
    reason: "hash-mismatch",
    passing: false,
    retryAfterMs: 0,
  },
  "verifyFailed for good": { kind: "verifyFailed", reason: "flash-error" },
  "verifyFailed hash": { kind: "verifyFailed", reason: "hash-mismatch" },
  "verifyFailed inside": { kind: "verifyFailed", reason: "internal-error" },
  "swapFailed storage": { kind: "swapFailed", reason: "storage-error" },
  "reported other": { kind: "reported", actionId: "8" },
};

// What is said of an action that cannot be read, and of the other one that is taken up.
const refused7 = "report 7 closed failure failed malformed-deployment";
const refused8 = "report 8 closed failure failed unsupported-deployment";
const check8 = "checking 8: report 8 proceeding checking, check 8";
const check7 = "checking 7: report 7 proceeding checking, check 7";
const download7 = "downloading 7: report 7 download downloading, prepare 7";
const abandoned8 = "checking 8: abandon, report 8 proceeding checking, check 8";
const abandoned7 = "checking 7: abandon, report 7 proceeding checking, check 7";
const requestAgain = "activating 7 #2: report 7 proceeding activating, prepareSwap 7";
const network = "report 7 proceeding failed network";

const unstored =
  "failed 7 storage-error > downloading 7 prepared: report 7 proceeding failed storage-error";
const gaveUp =
  "failed 7 too-many-transitions: abandon, report 7 closed failure failed too-many-transitions";
const impossible = "report 7 proceeding idle rollback-impossible: flash-error";
// The image that runs is refused before it is swapped out; nothing is known of its action here.
const back = "rollingBack late-rollback:health: abandon, refuse 00, requestRollback";

/** The same in every state whose work a poll can end. */
const ofWork = {
  destabilized: back,
  exhausted: gaveUp,
  "polled other": abandoned8,
  "polled nothing": "idle: abandon",
  "polled another file": abandoned7,
  offerRefused: `failed 7 malformed-deployment: abandon, ${refused7}`,
  "offerRefused other": `idle: abandon, ${refused8}`,
  cancelled: "idle: abandon, accept cancel 7",
};

/** The same in every state without work. */
const ofRest = {
  destabilized: back,
  "polled other": check8,
  "polled nothing": "idle",
  "polled another file": check7,
  "offerRefused other": `idle: ${refused8}`,
};

/**
 * What happens, by state and event. A pair that is not here means nothing: the state stays and
 * nothing is done. "booted" is with a confirmed old image that runs and an empty secondary slot;
 * recovery has tests of its own.
 */
const table: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  idle: {
    ...ofRest,
    polled: check7,
    offerRefused: `idle: ${refused7}`,
    cancelled: "idle: accept cancel 7",
  },
  checking: {
    ...ofWork,
    booted: "checking 7: check 7",
    checked: download7,
    checkFailed: "failed 7 key-unknown: report 7 closed failure failed key-unknown",
    "checkFailed passing":
      "failed 7 server-error > checking 7: report 7 proceeding failed server-error",
  },
  "checking without a hash": {
    ...ofWork,
    booted: "checking 7: check 7",
    checked: download7,
    checkFailed: "failed 7 key-unknown: report 7 closed failure failed key-unknown",
    "checkFailed passing":
      "failed 7 server-error > checking 7: report 7 proceeding failed server-error",
  },
  downloading: {
    ...ofWork,
    booted: "downloading 7: prepare 7",
    prepared: "downloading 7 prepared: download 7",
    downloaded: "verifying 7: report 7 downloaded verifying, verify 7",
    downloadFailed: `failed 7 network > downloading 7: ${network}`,
    "downloadFailed for good": "failed 7 flash-error: report 7 closed failure failed flash-error",
    "downloadFailed hash": "downloading 7 again 1: report 7 download downloading, prepare 7",
  },
  prepared: {
    ...ofWork,
    booted: "downloading 7 prepared: download 7",
    prepared: "downloading 7 prepared: download 7",
    downloaded: "verifying 7: report 7 downloaded verifying, verify 7",
    downloadFailed: `failed 7 network > downloading 7 prepared: ${network}`,
    "downloadFailed for good": "failed 7 flash-error: report 7 closed failure failed flash-error",
    "downloadFailed hash": "downloading 7 again 1: report 7 download downloading, prepare 7",
  },
  verifying: {
    ...ofWork,
    booted: "verifying 7: verify 7",
    verified: "activating 7 #1: report 7 proceeding activating, prepareSwap 7",
    verifyFailed: "downloading 7 again 1: report 7 download downloading, prepare 7",
    "verifyFailed for good": "failed 7 flash-error: report 7 closed failure failed flash-error",
    "verifyFailed hash": "downloading 7 again 1: report 7 download downloading, prepare 7",
    "verifyFailed inside":
      "failed 7 internal-error > downloading 7 prepared again 1: report 7 proceeding failed internal-error",
  },
  staged: {
    ...ofWork,
    booted: "activating 7 #1: report 7 proceeding activating, prepareSwap 7",
  },
  activating: {
    booted: "failed 7 bootloader-refused: report 7 closed failure failed bootloader-refused",
    cancelled: "activating 7 #1: reject cancel 7",
    "cancelled other": "activating 7 #1: accept cancel 8",
    swapPrepared: "activating 7 #1 requested: requestSwap 7",
    swapFailed: "failed 7 flash-error: report 7 closed failure failed flash-error",
    "swapFailed storage": unstored,
  },
  requested: {
    booted: "failed 7 bootloader-refused: report 7 closed failure failed bootloader-refused",
    cancelled: "activating 7 #1 requested: reject cancel 7",
    "cancelled other": "activating 7 #1 requested: accept cancel 8",
    swapRequested: "activating 7 #1 requested: restart",
    swapFailed: "failed 7 flash-error: report 7 closed failure failed flash-error",
    "swapFailed storage": unstored,
  },
  trial: {
    booted:
      "rolledBack 7 not-confirmed: refuse 11, report 7 closed failure rolledBack not-confirmed",
    cancelled: "trial 7: reject cancel 7",
    "cancelled other": "trial 7: accept cancel 8",
    healthy: "trial 7: confirm",
    confirmWritten: "confirmed 7: report 7 closed success confirmed",
    confirmFailed: "trial 7 confirm-failed: restart",
    trialEnded: "trial 7 no-server: restart",
  },
  "trial of an unknown image": {
    booted: "idle",
    cancelled: "trial unknown: reject cancel 7",
    "cancelled other": "trial unknown: reject cancel 8",
    healthy: "trial unknown: confirm",
    confirmWritten: "idle",
    confirmFailed: "trial unknown confirm-failed: restart",
    trialEnded: "trial unknown no-server: restart",
  },
  confirmed: {
    ...ofRest,
    booted: "confirmed 7: report 7 closed success confirmed",
    polled: "confirmed 7: report 7 closed success confirmed",
    offerRefused: "confirmed 7: report 7 closed success confirmed",
    cancelled: "confirmed 7: reject cancel 7",
    reported: "idle",
  },
  rollingBack: {
    cancelled: "rollingBack 7 late-rollback:health: reject cancel 7",
    booted:
      "rolledBack 7 late-rollback:health: refuse 11, report 7 closed failure rolledBack late-rollback:health",
    destabilized: "rollingBack 7 late-rollback:health: requestRollback",
    tick: "rollingBack 7 late-rollback:health: requestRollback",
    rollbackRequested: "rollingBack 7 late-rollback:health: restart",
    rollbackFailed: `idle: ${impossible}`,
  },
  "rolling back, without power": {
    cancelled: "rollingBack 7 late-rollback:health waits for power: reject cancel 7",
    booted:
      "rolledBack 7 late-rollback:health: refuse 11, report 7 closed failure rolledBack late-rollback:health",
    destabilized: "rollingBack 7 late-rollback:health: requestRollback",
    tick: "rollingBack 7 late-rollback:health: requestRollback",
    rollbackRequested: "rollingBack 7 late-rollback:health waits for power: restart",
    rollbackFailed: `idle: ${impossible}`,
  },
  rolledBack: {
    ...ofRest,
    booted: "rolledBack 7 crashed: refuse 11, report 7 closed failure rolledBack crashed",
    polled: "rolledBack 7 crashed: report 7 closed failure rolledBack crashed",
    offerRefused: "rolledBack 7 crashed: report 7 closed failure rolledBack crashed",
    cancelled: "idle: report 7 closed failure rolledBack crashed, accept cancel 7",
  },
  deferred: {
    ...ofRest,
    exhausted: gaveUp,
    tick: "downloading 7 prepared: report 7 download downloading, download 7",
    approved: "downloading 7 prepared: report 7 download downloading, download 7",
    polled: "downloading 7 prepared: report 7 download downloading, download 7",
    offerRefused: `failed 7 malformed-deployment: ${refused7}`,
    cancelled: "idle: accept cancel 7",
  },
  "deferred, staged": {
    ...ofRest,
    exhausted: gaveUp,
    approved: requestAgain,
    polled: requestAgain,
    offerRefused: `failed 7 malformed-deployment: ${refused7}`,
    cancelled: "idle: accept cancel 7",
  },
  "deferred, unapproved": {
    ...ofRest,
    exhausted: gaveUp,
    offerRefused: `failed 7 malformed-deployment: ${refused7}`,
    cancelled: "idle: accept cancel 7",
  },
  failed: {
    ...ofRest,
    polled: "failed 7 flash-error: report 7 closed failure failed flash-error",
    offerRefused: "failed 7 flash-error: report 7 closed failure failed flash-error",
    cancelled: "idle: report 7 closed failure failed flash-error, accept cancel 7",
  },
  "failed for now": {
    ...ofRest,
    exhausted: gaveUp,
    polled: "downloading 7 prepared: report 7 download downloading, download 7",
    offerRefused: `failed 7 malformed-deployment: ${refused7}`,
    cancelled: "idle: accept cancel 7",
  },
  "paused after silence": {
    ...ofRest,
    exhausted: gaveUp,
    polled: check7,
    offerRefused: `failed 7 malformed-deployment: ${refused7}`,
    cancelled: "idle: accept cancel 7",
  },
};

for (const [stateName, state] of Object.entries(states))
  for (const [eventName, event] of Object.entries(faces)) {
    const row = table[stateName] ?? {};
    // Lost work is taken up as a reset takes it up.
    const own: Readonly<Record<string, string>> =
      row["booted"] === undefined ? row : { ...row, resumed: row["booted"] };
    // Another action that is to be stopped was never begun here, or is over: the answer is yes in
    // every state.
    const otherCancelled = `${stateText(state)}: accept cancel 8`;
    const expected =
      own[eventName] ?? (eventName === "cancelled other" ? otherCancelled : stateText(state));
    test(`${stateName}, ${eventName} -> ${expected}`, () => {
      assert.equal(told(transition(state, event, context)), expected);
    });
  }

test("the table names no state or event that does not exist", () => {
  assert.deepEqual(Object.keys(table), Object.keys(states));
  for (const row of Object.values(table))
    for (const name of Object.keys(row)) assert.ok(name in faces, name);
});

test("servers know every state, and no other", () => {
  const kinds = new Set(Object.values(states).map(({ kind }) => kind));
  assert.deepEqual(kinds, new Set(Object.keys(deviceStateWords)));
});

test("the same state, event and context give the same answer, and change none of them", () => {
  for (const state of Object.values(states))
    for (const event of Object.values(faces))
      for (const facts of [context, onTrial]) {
        const before = JSON.stringify([state, event, facts]);
        const first = transition(state, event, facts);
        assert.deepEqual(transition(state, event, facts), first);
        assert.equal(JSON.stringify([state, event, facts]), before);
      }
});

test("a poll that names the same file under a new address disturbs no work", () => {
  const moved: Event = { kind: "polled", offer: at(offer, "http://elsewhere/file") };
  for (const name of ["checking", "downloading", "prepared", "verifying", "staged"]) {
    const state = states[name];
    assert.ok(state !== undefined);
    assert.deepEqual(transition(state, moved, context), { state, effects: [] });
  }
});
