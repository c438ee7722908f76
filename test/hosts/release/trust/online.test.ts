import assert from "node:assert/strict";
import { test } from "node:test";
import { addKey, removeKey } from "../../../../hosts/release/trust/changes.ts";
import { expiryOf } from "../../../../hosts/release/trust/document.ts";
import { expiryLevel } from "../../../../hosts/release/trust/expiry.ts";
import { signOnline } from "../../../../hosts/release/trust/online.ts";
import { addRelease } from "../../../../hosts/release/trust/releases.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import {
  metadataSigner,
  signAll,
  signedImage,
  signedRepository,
  signOnlineNow,
  trustKeys,
  trustSet,
} from "../../../support/trust-repository.ts";

const now = Date.UTC(2026, 10, 21, 12);
const day = 86_400_000;

test("nothing is signed again while it is good, and each role at half of its own life", async (context) => {
  const repository = await signedRepository(temporaryFolder(context), now);
  const signedAt = async (days: number) =>
    (await signOnlineNow(repository, now + days * day)).signed;
  assert.deepEqual(await signedAt(0.45), []);
  assert.deepEqual(await signedAt(0.55), ["timestamp"]);
  assert.deepEqual(await signedAt(0.6), []);
  assert.deepEqual(await signedAt(4), ["snapshot", "timestamp"]);
  assert.equal(repository.current("timestamp")?.signed.version, 3);
  assert.equal(repository.current("snapshot")?.signed.version, 2);
});

test("while a device was told a later time, what is signed outlives that and is renewed as ever", async (context) => {
  const repository = await signedRepository(temporaryFolder(context), now);
  const { snapshot, timestamp } = repository.lifeDays;
  const toldUnixMs = now + 30 * day;
  const signedAt = async (days: number) =>
    (await signOnlineNow(repository, now + days * day, { toldUnixMs })).signed;
  const lives = () =>
    (["snapshot", "timestamp"] as const).map((role) => {
      const document = repository.current(role) ?? assert.fail(role);
      return (expiryOf(document) - toldUnixMs) / day;
    });
  assert.deepEqual(await signedAt(0), ["snapshot", "timestamp"], "theirs end too early");
  assert.deepEqual(lives(), [snapshot, timestamp]);
  assert.deepEqual(await signedAt(0.45), []);
  assert.deepEqual(await signedAt(0.55), ["timestamp"]);
  assert.deepEqual(await signedAt(4), ["snapshot", "timestamp"]);
  assert.deepEqual(lives(), [snapshot, timestamp]);
  assert.deepEqual(await signedAt(29.8), ["snapshot", "timestamp"]);
  assert.deepEqual(await signedAt(30.2), [], "the clock is there");
  assert.deepEqual(await signedAt(30.6), ["timestamp"]);
});

test("a new release makes a new snapshot, which keeps every role of the one before", async (context) => {
  const repository = await signedRepository(temporaryFolder(context), now, [
    { version: "1.0.0", hardware: "esp32c3-b" },
  ]);
  const images = [await signedImage("1.1.0", "esp32c6-a")];
  assert.ok(addRelease(repository, { images, evidence: [], energy: null, now }).ok);
  await signAll(repository);
  const result = await signOnlineNow(repository, now);
  assert.deepEqual(result.snapshot.signed.meta, {
    "targets.json": { version: 3 },
    "esp32c3-b.json": { version: 1 },
    "esp32c6-a.json": { version: 1 },
    "evidence.json": { version: 2 },
  });
  assert.deepEqual(result.timestamp.signed.meta, { "snapshot.json": { version: 2 } });
});

test("nothing is signed over a role that waits for its signature, nor with another key", async (context) => {
  const repository = await signedRepository(temporaryFolder(context), now);
  const images = [await signedImage("1.0.0", "esp32c3-b")];
  assert.ok(addRelease(repository, { images, evidence: [], energy: null, now }).ok);
  const { root } = repository;
  assert.ok(root);
  const options = {
    signersFor: () => trustKeys.online,
    now,
    lifeDays: repository.lifeDays,
    always: true,
  };
  await signAll(repository);
  const { targets, ...rest } = trustSet(repository);
  assert.ok(targets);
  const unsigned = await signOnline({ ...rest, root, targets, delegated: new Map() }, options);
  assert.deepEqual(unsigned.ok || unsigned.reason, "role-unsigned");
  const other = { ...options, signersFor: () => trustKeys.targets };
  const wrong = await signOnline({ ...rest, root, targets }, other);
  assert.deepEqual(wrong.ok || wrong.reason, "wrong-key");
});

test("nothing is signed over targets of a key that the root does not name any more", async (context) => {
  const repository = await signedRepository(temporaryFolder(context), now, [
    { version: "1.0.0", hardware: "esp32c3-b" },
  ]);
  const { targets, delegated } = trustSet(repository);
  assert.ok(targets);
  for (const key of trustKeys.targets) {
    assert.ok(
      addKey(repository, "targets", metadataSigner(300 + trustKeys.targets.indexOf(key)), now).ok,
    );
    assert.ok(removeKey(repository, "targets", key.keyId, now).ok);
  }
  await signAll(repository, trustKeys.root);
  const { root } = repository;
  assert.equal(root?.signed.version, 2);
  const set = { root, targets, delegated, snapshot: null, timestamp: null };
  const { lifeDays } = repository;
  const options = { signersFor: () => trustKeys.online, now, lifeDays, always: false };
  const refused = await signOnline(set, options);
  assert.deepEqual(refused.ok || refused.reason, "role-untrusted");
  const [first] = repository.roots;
  assert.ok(first);
  const role = delegated.get("esp32c3-b");
  assert.ok(role);
  const other = new Map(delegated).set("esp32c3-b", { ...role, signatures: [] });
  const mixed = await signOnline({ ...set, root: first, delegated: other }, options);
  assert.deepEqual(mixed.ok || mixed.reason, "role-untrusted");
});

test("the levels of a life are at 50 and 20 percent", async (context) => {
  const repository = await signedRepository(temporaryFolder(context), now);
  const root = repository.root;
  assert.ok(root);
  const levels = [0, 182, 183, 291, 293, 364, 365, 400].map((days) => {
    const { level, lifeLeftPercent } = expiryLevel(root, now + days * day);
    return `${days}: ${lifeLeftPercent} % ${level}`;
  });
  assert.deepEqual(levels, [
    "0: 100 % good",
    "182: 50 % good",
    "183: 49 % half",
    "291: 20 % half",
    "293: 19 % soon",
    "364: 0 % soon",
    "365: 0 % expired",
    "400: 0 % expired",
  ]);
});
