import assert from "node:assert/strict";
import { test } from "node:test";
import type { Verdict } from "../../../src/trust/refusal.ts";
import type { Root } from "../../../src/trust/root.ts";
import {
  acceptTargets,
  acceptTrustedRoot,
  judgeSnapshot,
  judgeTimestamp,
  readSnapshot,
  readTimestamp,
} from "../../../src/trust/workflow.ts";
import {
  type Loose,
  now,
  rulesWith,
  signedBytes,
  TestRepository,
  testKey,
} from "../../support/tuf-repository.ts";

const rules = rulesWith();
const past = "2026-11-21T11:59:59Z";

function valued<T>(verdict: Verdict<T>): T {
  assert.ok(verdict.ok, verdict.ok ? "" : `${verdict.reason}: ${verdict.detail}`);
  return verdict.value;
}

function reasonOf(verdict: Verdict<unknown> | { ok: false; reason: string } | null): string {
  if (verdict === null) return "accepted";
  return verdict.ok ? "accepted" : verdict.reason;
}

/** A root after `change`, signed by keys 0 and 1 unless told. */
function rootBytes(change: (root: Loose) => void, signers = [testKey(0), testKey(1)]): Uint8Array {
  const { root } = new TestRepository();
  change(root);
  return signedBytes(root, signers);
}

const trustedRoot = (): Root =>
  valued(
    acceptTrustedRoot(
      rootBytes(() => {}),
      rules,
    ),
  );

test("5.4.2: a timestamp needs its own role's keys", () => {
  const { timestamp } = new TestRepository();
  const read = (signer: number): string =>
    reasonOf(readTimestamp(signedBytes(timestamp, [testKey(signer)]), trustedRoot(), rules));
  assert.equal(read(5), "accepted");
  for (const signer of [0, 3, 6, 7, 9]) assert.equal(read(signer), "too-few-signatures");
});

test("5.4.2: a snapshot that the timestamp's key signed is no timestamp", () => {
  const { snapshot } = new TestRepository();
  const bytes = signedBytes({ ...snapshot, meta: { "snapshot.json": { version: 1 } } }, [
    testKey(5),
  ]);
  assert.equal(reasonOf(readTimestamp(bytes, trustedRoot(), rules)), "wrong-type");
});

const stamp = (version: number, snapshotVersion: number, expiresUnixMs = now + 1): Loose => ({
  version,
  expiresUnixMs,
  snapshot: { version: snapshotVersion, lengthBytes: null, hashes: null },
});

for (const { says, next, trusted, expected } of [
  { says: "the first timestamp is new", next: stamp(1, 1), trusted: null, expected: "new" },
  { says: "a higher one is new", next: stamp(2, 1), trusted: stamp(1, 1), expected: "new" },
  { says: "an equal one is known", next: stamp(2, 9), trusted: stamp(2, 1), expected: "known" },
  {
    says: "5.4.3.1: a lower one is a rollback",
    next: stamp(1, 1),
    trusted: stamp(2, 1),
    expected: "version-rollback",
  },
  {
    says: "5.4.3.2: one with a lower snapshot is a rollback",
    next: stamp(3, 1),
    trusted: stamp(2, 2),
    expected: "version-rollback",
  },
  {
    says: "5.4.4: an expired one is refused",
    next: stamp(3, 2, now),
    trusted: stamp(2, 2),
    expected: "expired",
  },
  {
    says: "5.4.3.1: an expired one counts against a rollback",
    next: stamp(1, 1),
    trusted: stamp(2, 1, 1),
    expected: "version-rollback",
  },
  {
    says: "5.4.4: an equal one that expired meanwhile is refused",
    next: stamp(2, 1),
    trusted: stamp(2, 1, now),
    expected: "expired",
  },
])
  test(says, () => {
    const judged = judgeTimestamp(next, trusted, now);
    assert.equal(judged.ok ? judged.value : judged.reason, expected);
  });

test("5.5.3: a snapshot needs its own role's keys", () => {
  const { snapshot } = new TestRepository();
  const read = (signer: number): string =>
    reasonOf(readSnapshot(signedBytes(snapshot, [testKey(signer)]), trustedRoot(), rules));
  assert.equal(read(6), "accepted");
  assert.equal(read(5), "too-few-signatures");
});

const shot = (
  files: Readonly<Record<string, number>>,
  version = 2,
  expiresUnixMs = now + 1,
): Loose => ({
  version,
  expiresUnixMs,
  files: new Map(
    Object.entries(files).map(([name, of]) => [
      name,
      { version: of, lengthBytes: null, hashes: null },
    ]),
  ),
});
const meta = { version: 2, lengthBytes: null, hashes: null };

for (const { says, next, expected } of [
  {
    says: "a snapshot may list more and newer",
    next: shot({ a: 3, b: 1, c: 1 }),
    expected: "accepted",
  },
  {
    says: "5.5.4: its version is the timestamp's",
    next: shot({ a: 2, b: 1 }, 3),
    expected: "version-mismatch",
  },
  {
    says: "5.5.5: no role goes back",
    next: shot({ a: 1, b: 1 }),
    expected: "version-rollback",
  },
  { says: "5.5.5: no role goes away", next: shot({ a: 2 }), expected: "role-removed" },
  {
    says: "5.5.6: it must not have expired",
    next: shot({ a: 2, b: 1 }, 2, now),
    expected: "expired",
  },
])
  test(says, () => {
    const refusal = judgeSnapshot(next, meta, shot({ a: 2, b: 1 }, 1), now);
    assert.equal(reasonOf(refusal), expected);
  });

test("5.6.2 to 5.6.5: targets are the ones that the snapshot means, signed, and fresh", () => {
  const repository = new TestRepository();
  const { targets } = trustedRoot();
  const { signers } = repository;
  const judge = (change: (signed: Loose) => void, listed: object = {}): string => {
    const signed = structuredClone(repository.targets);
    change(signed);
    const bytes = signedBytes(signed, signers["targets"] ?? []);
    return reasonOf(acceptTargets(bytes, targets, { ...meta, version: 1, ...listed }, now, rules));
  };
  assert.equal(
    judge(() => {}),
    "accepted",
  );
  assert.equal(
    judge(() => {}, { version: 2 }),
    "version-mismatch",
  );
  assert.equal(
    judge(() => {}, { lengthBytes: 10 }),
    "too-large",
  );
  assert.equal(
    judge(() => {}, { lengthBytes: 8000 }),
    "length-mismatch",
  );
  assert.equal(
    judge(() => {}, { hashes: new Map([["sha256", "00"]]) }),
    "hash-mismatch",
  );
  assert.equal(
    judge(() => {}, { hashes: new Map([["md5", "00"]]) }),
    "hash-mismatch",
  );
  assert.equal(
    judge((signed) => {
      signed.expires = past;
    }),
    "expired",
  );
  signers["targets"] = [testKey(3), testKey(5)];
  assert.equal(
    judge(() => {}),
    "too-few-signatures",
  );
});

test("4.5: what a targets role must have is asked for", () => {
  const { targets } = trustedRoot();
  const judge = (change: (signed: Loose) => void): string => {
    const repository = new TestRepository();
    repository.targets.targets["a/b"] = { length: 1, hashes: { sha256: "00" }, custom: { x: 1 } };
    repository.delegate("role");
    change(repository.targets);
    const bytes = signedBytes(repository.targets, [testKey(3), testKey(4)]);
    return reasonOf(acceptTargets(bytes, targets, { ...meta, version: 1 }, now, rules));
  };
  assert.equal(
    judge(() => {}),
    "accepted",
  );
  const change = (path: readonly string[], value: unknown) => (signed: Loose) => {
    const last = path.at(-1) ?? "";
    const holder = path.slice(0, -1).reduce((object, name) => object[name], signed);
    if (value === undefined) delete holder[last];
    else holder[last] = value;
  };
  const role = ["delegations", "roles", "0"];
  const malformed: readonly (readonly [readonly string[], unknown])[] = [
    [["targets"], undefined],
    [["targets", "a/b"], 1],
    [["targets", "a/b", "length"], -1],
    [["targets", "a/b", "hashes"], {}],
    [["targets", "a/b", "hashes", "sha256"], "xyz"],
    [["targets", "a/b", "custom"], 1],
    [["delegations"], 1],
    [["delegations", "keys"], undefined],
    [["delegations", "roles"], undefined],
    [[...role, "name"], ""],
    [[...role, "name"], "timestamp"],
    [[...role, "threshold"], 0],
    [[...role, "terminating"], 1],
    [[...role, "paths"], undefined],
    [[...role, "path_hash_prefixes"], ["00"]],
    [["delegations", "succinct_roles"], {}],
  ];
  for (const [path, value] of malformed)
    assert.equal(judge(change(path, value)), "malformed-metadata", path.join("."));
  const many = Array.from({ length: 9 }, (_, index) => `${index}`);
  assert.equal(judge(change([...role, "paths"], many)), "too-many-entries");
  const twice = (signed: Loose): void => {
    signed.delegations.roles.push(signed.delegations.roles[0]);
  };
  assert.equal(judge(twice), "malformed-metadata");
});
