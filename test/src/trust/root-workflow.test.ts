import assert from "node:assert/strict";
import { test } from "node:test";
import type { Verdict } from "../../../src/trust/refusal.ts";
import type { Root } from "../../../src/trust/root.ts";
import { acceptNextRoot, acceptTrustedRoot } from "../../../src/trust/workflow.ts";
import {
  type Loose,
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

/** The next root after `change`. */
function nextRoot(change: (root: Loose) => void, signers = [testKey(0), testKey(1)]): string {
  const bytes = rootBytes((root) => {
    root.version = 2;
    change(root);
  }, signers);
  return reasonOf(acceptNextRoot(trustedRoot(), bytes, rules));
}

test("5.2: the trusted root counts although it expired", () => {
  const bytes = rootBytes((root) => {
    root.expires = past;
  });
  assert.equal(reasonOf(acceptTrustedRoot(bytes, rules)), "accepted");
});

test("5.2: a trusted root that its own keys did not sign is none", () => {
  const bytes = rootBytes(() => {}, [testKey(0), testKey(9)]);
  assert.equal(reasonOf(acceptTrustedRoot(bytes, rules)), "too-few-signatures");
});

test("5.3.4: the next root needs the thresholds of the trusted root and of itself", () => {
  const rotate = (root: Loose): void => {
    root.keys[testKey(8).id] = testKey(8).json;
    root.keys[testKey(9).id] = testKey(9).json;
    root.roles.root.keyids = [testKey(8).id, testKey(9).id];
  };
  const [old, fresh] = [
    [testKey(0), testKey(1)],
    [testKey(8), testKey(9)],
  ] as const;
  assert.equal(nextRoot(rotate, [...old, ...fresh]), "accepted");
  assert.equal(nextRoot(rotate, [...old]), "too-few-signatures");
  assert.equal(nextRoot(rotate, [...fresh]), "too-few-signatures");
  assert.equal(nextRoot(rotate, [testKey(0), ...fresh]), "too-few-signatures");
});

test("5.3.4: one key counts once, however often it signs", () => {
  const { root } = new TestRepository();
  root.version = 2;
  const bytes = signedBytes(root, [testKey(0), testKey(0)]);
  assert.equal(reasonOf(acceptNextRoot(trustedRoot(), bytes, rules)), "duplicate-signature");
});

test("5.3.5: the next root has exactly the next version", () => {
  for (const version of [1, 3])
    assert.equal(
      nextRoot((root) => {
        root.version = version;
      }),
      "version-mismatch",
    );
});

test("5.3.6: an intermediate root may have expired", () => {
  const expire = (root: Loose): void => {
    root.expires = past;
  };
  assert.equal(nextRoot(expire), "accepted");
});

test("4.3: key ids are recomputed, with the fields that nobody knows", () => {
  const extend = (root: Loose): void => {
    const key = { ...testKey(0).json, "x-owner": "somebody" };
    root.keys[testKey(0).id] = key;
  };
  assert.equal(nextRoot(extend), "key-id-mismatch");
  const confuse = (root: Loose): void => {
    root.keys[testKey(5).id] = testKey(9).json;
  };
  assert.equal(nextRoot(confuse), "key-id-mismatch");
});

test("4.3: what a root must have is asked for", () => {
  const cases: Readonly<Record<string, (root: Loose) => void>> = {
    "duplicate-key-id": (root) => root.roles.snapshot.keyids.push(testKey(6).id),
    "spec-version": (root) => {
      root.spec_version = "2.0.0";
    },
    "wrong-type": (root) => {
      root._type = "targets";
    },
    "too-many-entries": (root) => {
      const key = { keytype: "a", scheme: "b", keyval: { public: "c" } };
      for (let index = 0; index < 33; index += 1) root.keys[index] = key;
    },
  };
  for (const [reason, change] of Object.entries(cases)) assert.equal(nextRoot(change), reason);
  const malformed: readonly ((root: Loose) => void)[] = [
    (root) => delete root.roles.timestamp,
    (root) => delete root.roles,
    (root) => delete root.keys,
    (root) => delete root.expires,
    (root) => delete root.version,
    (root) => delete root.spec_version,
    (root) => {
      root.version = 0;
    },
    (root) => {
      root.expires = "2027-11-21T12:00:00.5Z";
    },
    (root) => {
      root.roles.root.threshold = 0;
    },
    (root) => {
      root.roles.root.keyids = [1];
    },
    (root) => {
      root.consistent_snapshot = "yes";
    },
    (root) => {
      root["x-sluice-director"] = {};
    },
    (root) => {
      root.keys[testKey(0).id] = { keytype: "ecdsa" };
    },
  ];
  for (const change of malformed) assert.equal(nextRoot(change), "malformed-metadata");
});

test("a repository that is not ours has no director, and may leave consistent_snapshot out", () => {
  const bytes = rootBytes((root) => {
    delete root["x-sluice-director"];
    delete root.consistent_snapshot;
  });
  const root = valued(acceptTrustedRoot(bytes, rules));
  assert.deepEqual([root.director, root.consistentSnapshot], [null, false]);
});

test("unknown fields inside the signed part belong to what is signed", () => {
  const withField = rootBytes((root) => {
    root["x-note"] = "a";
  });
  assert.equal(reasonOf(acceptTrustedRoot(withField, rules)), "accepted");
  const text = new TextDecoder().decode(withField).replace('"x-note":"a"', '"x-note":"b"');
  const changed = acceptTrustedRoot(new TextEncoder().encode(text), rules);
  assert.equal(reasonOf(changed), "too-few-signatures");
});

test("a signature that is malformed does not count, and does not spoil the others", () => {
  const { root } = new TestRepository();
  const text = new TextDecoder().decode(signedBytes(root, [testKey(0), testKey(1), testKey(2)]));
  const json = JSON.parse(text) as Loose;
  for (const sig of ["", "zz", "00", "3000", json.signatures[1].sig.slice(2)]) {
    json.signatures[0].sig = sig;
    const bytes = new TextEncoder().encode(JSON.stringify(json));
    assert.equal(reasonOf(acceptTrustedRoot(bytes, rules)), "accepted", sig);
  }
});

test("a root larger than its cap is refused before it is read", () => {
  const { root } = new TestRepository();
  root.version = 2;
  root["x-long"] = "x".repeat(8192);
  const bytes = signedBytes(root, [testKey(0), testKey(1)]);
  assert.equal(reasonOf(acceptNextRoot(trustedRoot(), bytes, rules)), "too-large");
});
