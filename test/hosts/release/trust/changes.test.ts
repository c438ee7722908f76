import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import {
  addKey,
  initialize,
  putTargets,
  removeKey,
  renew,
  setThreshold,
} from "../../../../hosts/release/trust/changes.ts";
import { lifeDaysDefault } from "../../../../hosts/release/trust/repository.ts";
import { publishReady, signDraft } from "../../../../hosts/release/trust/signing.ts";
import { verifyTrust } from "../../../../hosts/release/trust/verify.ts";
import { directorRoleMember } from "../../../../src/trust/director-document.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import {
  metadataSigner,
  openTrust,
  signAll,
  signedRepository,
  signOnlineNow,
  trustKeys,
  trustSet,
} from "../../../support/trust-repository.ts";

const now = Date.UTC(2026, 10, 21, 12);
const day = 86_400_000;
const successor = metadataSigner(99);

const problemsOf = (repository: ReturnType<typeof openTrust>, at = now) =>
  verifyTrust(trustSet(repository), at).problems;

const repositoryOf = (context: TestContext) =>
  signedRepository(temporaryFolder(context), now, [{ version: "1.0.0", hardware: "esp32c3-b" }]);

test("the first root counts once two of three keys signed it, not before", async (context) => {
  const repository = openTrust(temporaryFolder(context));
  const thresholds = { root: 2, targets: 1, online: 1 };
  const first = { keys: trustKeys, thresholds, lifeDays: lifeDaysDefault, now };
  assert.ok(initialize(repository, first).ok);
  const draft = repository.draft("root");
  assert.ok(draft);
  await signDraft(repository, draft, trustKeys.root[0]);
  publishReady(repository);
  const root = () => repository.root;
  assert.equal(root(), null);
  // The same key once more is not a second one.
  await signDraft(repository, repository.draft("root") ?? draft, trustKeys.root[0]);
  publishReady(repository);
  assert.equal(root(), null);
  await signDraft(repository, repository.draft("root") ?? draft, trustKeys.root[2]);
  publishReady(repository);
  assert.equal(root()?.signed.version, 1);
  assert.deepEqual(root()?.signed[directorRoleMember], root()?.signed.roles.timestamp);
  assert.equal(initialize(repository, first).ok, false);
});

test("what is read back from the folder is what was signed", async (context) => {
  const repository = await repositoryOf(context);
  const again = openTrust(repository.folder);
  assert.deepEqual(trustSet(again), trustSet(repository));
  assert.deepEqual(problemsOf(again), []);
});

test("a new root needs the keys of the one before it as well as its own", async (context) => {
  const repository = await repositoryOf(context);
  for (const key of trustKeys.root) {
    const fresh = metadataSigner(100 + trustKeys.root.indexOf(key));
    assert.ok(addKey(repository, "root", fresh, now).ok);
    assert.ok(removeKey(repository, "root", key.keyId, now).ok);
  }
  const successors = [100, 101, 102].map(metadataSigner);
  await signAll(repository, successors);
  assert.equal(repository.root?.signed.version, 1, "the new keys alone are not enough");
  await signAll(repository, trustKeys.root.slice(0, 1));
  assert.equal(repository.root?.signed.version, 1, "one old key is not enough");
  await signAll(repository, trustKeys.root.slice(1, 2));
  assert.equal(repository.root?.signed.version, 2);
  assert.deepEqual(problemsOf(repository), []);
});

test("a replaced targets key is replaced in every delegation, and its signature counts no more", async (context) => {
  const repository = await repositoryOf(context);
  const [first, second] = trustKeys.targets;
  assert.ok(removeKey(repository, "targets", second.keyId, now).ok);
  assert.ok(addKey(repository, "targets", successor, now).ok);
  const removed = removeKey(repository, "targets", first.keyId, now);
  assert.ok(removed.ok);
  assert.deepEqual(removed.drafts, ["root", "targets", "esp32c3-b", "evidence"]);
  await signAll(repository, [...trustKeys.root, first]);
  assert.equal(repository.root?.signed.version, 2);
  assert.match(problemsOf(repository)[0]?.problem ?? "", /lacks signatures of the keys that root/);
  await signAll(repository, [successor]);
  await signOnlineNow(repository, now);
  assert.deepEqual(problemsOf(repository), []);
  const { delegations } = repository.targets?.signed ?? {};
  assert.deepEqual(Object.keys(delegations?.keys ?? {}), [successor.keyId]);
});

test("a replaced online key makes snapshot and timestamp be signed again", async (context) => {
  const repository = await repositoryOf(context);
  const [online] = trustKeys.online;
  assert.ok(addKey(repository, "online", successor, now).ok);
  assert.ok(removeKey(repository, "online", online.keyId, now).ok);
  await signAll(repository);
  assert.deepEqual(repository.root?.signed[directorRoleMember].keyids, [successor.keyId]);
  const result = await signOnlineNow(repository, now, { signers: [successor] });
  assert.deepEqual(result.signed, ["snapshot", "timestamp"]);
  assert.deepEqual(problemsOf(repository), []);
});

test("a draft that changes loses the signatures that it had", async (context) => {
  const repository = await repositoryOf(context);
  assert.ok(addKey(repository, "root", successor, now).ok);
  await signAll(repository, trustKeys.root.slice(0, 1));
  assert.equal(repository.draft("root")?.signatures.length, 1);
  assert.ok(setThreshold(repository, "root", 3, now).ok);
  assert.deepEqual(repository.draft("root")?.signatures, []);
  assert.equal(repository.draft("root")?.signed.version, 2);
});

test("refuses keys that are there or are not, and thresholds that cannot be met", async (context) => {
  const repository = await repositoryOf(context);
  const [online] = trustKeys.online;
  const refusals = [
    addKey(repository, "root", trustKeys.root[0], now),
    removeKey(repository, "root", successor.keyId, now),
    removeKey(repository, "online", online.keyId, now),
    setThreshold(repository, "root", 4, now),
    setThreshold(repository, "targets", 0, now),
    addKey(openTrust(temporaryFolder(context)), "root", successor, now),
    renew(repository, ["esp32c6-a"], now),
  ];
  assert.deepEqual(
    refusals.map((result) => (result.ok ? "done" : result.reason)),
    ["key-there", "key-absent", "threshold", "threshold", "threshold", "none", "none"],
  );
  assert.deepEqual(repository.drafts, []);
});

test("a role is renewed before it expires, and expired ones are told", async (context) => {
  const repository = await repositoryOf(context);
  const late = now + 181 * day;
  const roles = problemsOf(repository, late).map(({ role }) => role);
  assert.deepEqual(roles, ["targets", "esp32c3-b", "evidence", "snapshot", "timestamp"]);
  assert.ok(renew(repository, ["targets", "esp32c3-b", "evidence"], late).ok);
  await signAll(repository);
  await signOnlineNow(repository, late);
  assert.deepEqual(problemsOf(repository, late), []);
});

test("a root that no device could read once it is signed is not drafted", (context) => {
  const repository = openTrust(temporaryFolder(context));
  const root = Array.from({ length: 14 }, (_, index) => metadataSigner(200 + index));
  const thresholds = { root: 2, targets: 1, online: 1 };
  const first = { thresholds, lifeDays: lifeDaysDefault, now };
  const refused = initialize(repository, { ...first, keys: { ...trustKeys, root } });
  assert.ok(!refused.ok);
  assert.match(refused.message, /would have \d+ bytes .* a device takes 8192: use fewer keys/);
  assert.deepEqual(repository.drafts, []);
  const fewer = initialize(repository, {
    ...first,
    keys: { ...trustKeys, root: root.slice(0, 8) },
  });
  assert.ok(fewer.ok);
  for (const key of root.slice(8)) {
    const added = addKey(repository, "root", key, now);
    if (added.ok) continue;
    assert.match(added.message, /a device takes 8192/);
    return;
  }
  assert.fail("keys were added without an end");
});

test("what the firmware's own reader refuses is told before it is published", async (context) => {
  const repository = await repositoryOf(context);
  const paths = Array.from({ length: 9 }, (_, index) => `esp32c3-c/${index}.*`);
  assert.ok(putTargets(repository, { name: "esp32c3-c", paths }, {}, now).ok);
  await signAll(repository, [...trustKeys.root, ...trustKeys.targets]);
  const offline = { ...trustSet(repository), snapshot: null, timestamp: null };
  const [problem] = verifyTrust(offline, now).problems;
  assert.equal(problem?.role, "targets");
  assert.match(problem?.problem ?? "", /^a device refuses it: too-many-entries/);
});
