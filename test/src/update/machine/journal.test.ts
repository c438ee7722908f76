import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { failureReasons } from "../../../../src/offer/failure-reasons.ts";
import { type AcceptedOffer, addressNotKept } from "../../../../src/offer/offer.ts";
import { StorageError } from "../../../../src/ports/board.ts";
import type { DigestHex } from "../../../../src/protocol/digest.ts";
import { encodeJson } from "../../../../src/protocol/json.ts";
import {
  attemptWritesMax,
  decodeState,
  encodeState,
  Journal,
  keptUrlLengthMax,
} from "../../../../src/update/machine/journal.ts";
import { deferralReasons, rollbackReasons } from "../../../../src/update/machine/reasons.ts";
import type { State } from "../../../../src/update/machine/state.ts";
import { MemoryKeyValue, valueBytesMax } from "../../../support/memory-key-value.ts";
import {
  accepted,
  activating,
  at,
  blindChecking,
  deferredStaged,
  offer,
  passing,
  prepared,
  states,
  under,
} from "./examples.ts";

const stored = (state: State): Uint8Array => encodeJson(encodeState(state));
const longest = <Word extends string>(words: readonly [Word, ...Word[]]): Word =>
  words.reduce<Word>((long, word) => (word.length > long.length ? word : long), words[0]);

const variants: readonly (readonly [string, State])[] = [
  ...Object.entries(states),
  [
    "deferred check",
    { kind: "deferred", reason: "low-battery", untilUnixMs: null, resume: blindChecking },
  ],
  [
    "failed check",
    {
      kind: "failed",
      offer: blindChecking.offer,
      reason: "network",
      resume: blindChecking,
      retryAtUnixMs: 1_764_000_000_000,
    },
  ],
  [
    "trial that failed",
    { kind: "trial", offer: accepted, lastFailure: "confirm-failed", networkWasDown: false },
  ],
  ["third download", { ...prepared, hashFailures: 2 }],
  ["third request", { ...activating, requests: 3, requested: true, networkWasDown: true }],
];

for (const [name, state] of variants)
  test(`reads back: ${name}`, () => {
    assert.deepEqual(decodeState(stored(state)), state);
  });

for (const reason of failureReasons)
  test(`reads back a failure with ${reason}`, () => {
    const state: State = {
      kind: "failed",
      offer,
      reason,
      resume: null,
      retryAtUnixMs: null,
    };
    assert.deepEqual(decodeState(stored(state)), state);
    const later: State = {
      kind: "failed",
      offer: accepted,
      reason,
      resume: prepared,
      retryAtUnixMs: null,
    };
    assert.deepEqual(decodeState(stored(later)), later);
  });

for (const reason of rollbackReasons)
  test(`reads back a rollback with ${reason}`, () => {
    const state: State = { kind: "rolledBack", offer: accepted, reason };
    assert.deepEqual(decodeState(stored(state)), state);
  });

// ---- size

/**
 * The longest offer that the protocol lets through, every quote of its version escaped in the
 * journal.
 */
const longAccepted: AcceptedOffer = {
  source: {
    by: "server",
    actionId: "9".repeat(20),
    url: `https://${"a".repeat(keptUrlLengthMax - 8)}`,
  },
  version: '"'.repeat(64),
  fileHash: "f".repeat(64) as DigestHex,
  fileBytes: 0xffff_ffff,
  imageHash: "0".repeat(64) as DigestHex,
  approved: true,
  forced: true,
  retry: true,
  overridesWindows: true,
};

const { overridesWindows: _, ...longOffer } = longAccepted;

function lengthened(state: State): State {
  const text = JSON.stringify(state, (key, value) => {
    if (value !== null && key === "offer")
      return "overridesWindows" in value ? longAccepted : longOffer;
    if (key === "hashFailures" || key === "requests") return 16;
    if (key === "prepared" || key === "requested") return false;
    if (key === "lastFailure") return longest(rollbackReasons);
    if (key === "untilUnixMs" || key === "retryAtUnixMs") return 9_999_999_999_999;
    if (key === "networkWasDown" || key === "waitsForPower") return false;
    return value;
  });
  const long = JSON.parse(text) as State;
  switch (long.kind) {
    case "failed": {
      const { resume } = long;
      const own = resume?.kind === "downloading" ? resume.offer : long.offer;
      const retryAtUnixMs = resume === null ? null : long.retryAtUnixMs;
      return { ...long, offer: own, reason: longest(failureReasons), retryAtUnixMs };
    }
    case "deferred":
      return { ...long, reason: longest(deferralReasons) };
    case "rolledBack":
    case "rollingBack":
      return { ...long, reason: longest(rollbackReasons) };
    default:
      return long;
  }
}

for (const [name, state] of variants)
  test(`fits a value of the storage with the longest offer: ${name}`, () => {
    const long = lengthened(state);
    const bytes = stored(long);
    assert.ok(bytes.length <= valueBytesMax, `${bytes.length} bytes`);
    assert.deepEqual(decodeState(bytes), long);
  });

// ---- damage

for (const [name, state] of variants)
  test(`takes every truncation for nothing: ${name}`, () => {
    const bytes = stored(state);
    for (let length = 0; length < bytes.length; length += 1)
      assert.equal(decodeState(bytes.subarray(0, length)), null);
  });

for (const [name, state] of variants)
  test(`takes every changed byte for nothing or for a valid state: ${name}`, () => {
    const bytes = stored(state);
    for (let index = 0; index < bytes.length; index += 1)
      for (const change of [0x01, 0x20, 0x80]) {
        const mutated = bytes.slice();
        mutated[index] = (mutated[index] ?? 0) ^ change;
        const read = decodeState(mutated);
        // valid: it can be stored again and read back as the same
        if (read !== null) assert.deepEqual(decodeState(stored(read)), read);
      }
  });

test("takes random bytes and random JSON for nothing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(decodeState(bytes), null);
    }),
  );
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.equal(decodeState(new TextEncoder().encode(JSON.stringify({ v: 2, s: value }))), null);
    }),
  );
});

/** The stored text of a state, its members by their stored names changed. */
const spoiled = (state: State, change: (inner: StoredMembers) => object): unknown => {
  const root = JSON.parse(new TextDecoder().decode(stored(state)));
  return { ...root, s: change(root.s) };
};
const innerOf = (state: State): object => JSON.parse(new TextDecoder().decode(stored(state))).s;
type StoredMembers = Readonly<Record<string, object>>;
const withOffer = (changes: object): unknown =>
  spoiled(blindChecking, (inner) => ({ ...inner, offer: { ...inner["offer"], ...changes } }));
const changed = (state: State, changes: object): unknown =>
  spoiled(state, (inner) => ({ ...inner, ...changes }));
const rolledBack: State = { kind: "rolledBack", offer: accepted, reason: "crashed" };
for (const [name, value] of [
  ["another format", { v: 3, s: { kind: "idle" } }],
  ["no format", { s: { kind: "idle" } }],
  ["no state", { v: 2 }],
  ["a kind that is none", changed(prepared, { kind: "waiting" })],
  ["an action that is no number", withOffer({ a: "../7" })],
  ["an address that is none", withOffer({ u: "file" })],
  ["a size of 0", withOffer({ b: 0 })],
  ["no file hash", withOffer({ f: "" })],
  [
    "a download without an image hash",
    spoiled(prepared, (inner) => ({ ...inner, release: { ...inner["release"], i: null } })),
  ],
  ["a count beyond reason", changed(prepared, { hashFailures: 17 })],
  ["a negative count", changed(prepared, { hashFailures: -1 })],
  ["prepared that is no truth value", changed(prepared, { prepared: 1 })],
  ["a reason that is none", changed(rolledBack, { reason: "bored" })],
  ["a deferral without what to resume", changed(deferredStaged, { resume: null })],
  [
    "a deferral of a trial",
    changed(deferredStaged, { resume: innerOf(states["trial"] ?? rolledBack) }),
  ],
  [
    "a failure that resumes what is staged",
    changed(passing, { resume: innerOf(deferredStaged.resume) }),
  ],
  ["a deferral of a deferral", changed(deferredStaged, { resume: innerOf(deferredStaged) })],
] as const)
  test(`takes ${name} for nothing`, () => {
    assert.equal(decodeState(new TextEncoder().encode(JSON.stringify(value))), null);
  });

test("takes each of these states before it was spoiled", () => {
  for (const state of [blindChecking, prepared, rolledBack, deferredStaged, passing]) {
    const text = JSON.stringify(changed(state, {}));
    assert.deepEqual(decodeState(new TextEncoder().encode(text)), state);
  }
});

// ---- what devices in the field hold

test("reads the journals that devices in the field hold", () => {
  const journals: Readonly<Record<string, string>> = JSON.parse(
    readFileSync(new URL("./stored-journals.json", import.meta.url), "utf8"),
  );
  assert.deepEqual(Object.keys(journals), Object.keys(states));
  for (const [name, text] of Object.entries(journals))
    assert.deepEqual(decodeState(new TextEncoder().encode(text)), states[name], name);
});

// ---- the journal in its storage

test("begins idle in an empty storage, and with whatever cannot be read", () => {
  const keyValue = new MemoryKeyValue();
  assert.deepEqual(new Journal(keyValue).read(), { kind: "idle" });
  keyValue.values.set("update", Uint8Array.of(1, 2, 3));
  assert.deepEqual(new Journal(keyValue).read(), { kind: "idle" });
  keyValue.values.set("update", new Uint8Array(5000).fill(0x20));
  assert.deepEqual(new Journal(keyValue).read(), { kind: "idle" });
});

test("finds after a reset what was written before it", () => {
  const keyValue = new MemoryKeyValue();
  new Journal(keyValue).write(prepared);
  assert.deepEqual(new Journal(keyValue).read(), prepared);
});

test("writes a state once, however often it is given", () => {
  const keyValue = new MemoryKeyValue();
  const journal = new Journal(keyValue);
  journal.write(prepared);
  journal.write({ ...prepared });
  assert.equal(keyValue.writes.length, 1);
  assert.equal(journal.writes, 1);
  const next = new Journal(keyValue);
  next.write(next.read());
  assert.equal(keyValue.writes.length, 1);
});

test("keeps the old state when a write is refused, and tries the same one again", () => {
  const keyValue = new MemoryKeyValue();
  const journal = new Journal(keyValue);
  journal.write(prepared);
  keyValue.refuses = () => true;
  const trial: State = { kind: "trial", offer: accepted, lastFailure: null, networkWasDown: false };
  assert.throws(() => journal.write(trial), StorageError);
  assert.deepEqual(new Journal(keyValue).read(), prepared);
  keyValue.refuses = () => false;
  journal.write(trial);
  assert.deepEqual(new Journal(keyValue).read(), trial);
});

test("an offer of any allowed length can be stored", () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 64, unit: fc.constantFrom(...'azAZ09.+- "\\') }),
      fc.nat({ max: keptUrlLengthMax - 8 }),
      (version, length) => {
        const url = `https://${"u".repeat(length)}/`;
        if (url.length > keptUrlLengthMax) return;
        const offer = at({ ...longOffer, version }, url);
        const state: State = { kind: "checking", offer };
        const keyValue = new MemoryKeyValue();
        new Journal(keyValue).write(state);
        assert.deepEqual(new Journal(keyValue).read(), state);
      },
    ),
  );
});

// ---- an attempt is bounded

test("gives an attempt up when it has stored too many states, and stores its end", () => {
  const journal = new Journal(new MemoryKeyValue());
  let stored = 0;
  const again = (count: number): State => ({ ...prepared, hashFailures: count % 2 });
  while (journal.write(again(stored))) stored += 1;
  assert.ok(stored <= attemptWritesMax, `${stored} writes`);
  assert.equal(journal.writes, stored);
  const end: State = {
    kind: "failed",
    offer,
    reason: "too-many-transitions",
    resume: null,
    retryAtUnixMs: null,
  };
  assert.equal(journal.write(end), true);
});

test("a server that tells another address at each offer gives no attempt up", () => {
  const keyValue = new MemoryKeyValue();
  const journal = new Journal(keyValue);
  for (let round = 0; round < 200; round += 1) {
    const url = `http://server/file?signature=${round}`;
    const moved: State = { ...prepared, offer: at(accepted, url) };
    assert.equal(journal.write(moved), true, `round ${round}`);
    assert.equal(journal.write({ ...passing, resume: moved }), true, `round ${round}`);
  }
  assert.ok(journal.writes <= 34, `${journal.writes} writes`);
  const stored = new Journal(keyValue).read();
  assert.equal(stored.kind === "downloading" && stored.prepared, true);
  assert.equal(journal.write({ kind: "verifying", offer: accepted, hashFailures: 0 }), true);
});

test("counts an attempt across resets, and another action anew", () => {
  const keyValue = new MemoryKeyValue();
  let stored = 0;
  const again = (count: number): State => ({ ...prepared, hashFailures: count % 2 });
  const boot = (): Journal => {
    const journal = new Journal(keyValue);
    journal.read();
    return journal;
  };
  while (boot().write(again(stored))) stored += 1;
  assert.ok(stored <= attemptWritesMax, `${stored} writes`);
  assert.equal(boot().write({ kind: "checking", offer: under(offer, "8") }), true);
});

test("keeps a wait that comes and goes in memory once it has cost its share of the writes", () => {
  const keyValue = new MemoryKeyValue();
  const journal = new Journal(keyValue);
  for (let round = 0; round < 1000; round += 1) {
    assert.equal(journal.write(prepared), true);
    assert.equal(journal.write({ ...passing, resume: prepared }), true);
  }
  assert.ok(journal.writes < attemptWritesMax / 2 + 8, `${journal.writes} writes`);
  assert.deepEqual(new Journal(keyValue).read(), prepared);
  assert.equal(journal.write(activating), true);
});

test("keeps what an offer with a longer address is, and not where", () => {
  for (const length of [keptUrlLengthMax, keptUrlLengthMax + 1, 2048]) {
    const url = "https://cdn.test/".padEnd(length, "x");
    const state: State = { kind: "checking", offer: at(longOffer, url) };
    const keyValue = new MemoryKeyValue();
    new Journal(keyValue).write(state);
    const kept = length > keptUrlLengthMax ? addressNotKept : url;
    const offer = at(longOffer, kept);
    assert.deepEqual(new Journal(keyValue).read(), { kind: "checking", offer });
  }
});
