import assert from "node:assert/strict";
import { test } from "node:test";
import { PowerCut } from "../../../hosts/flash/operation.ts";
import { DocumentStore } from "../../../src/config/document-store.ts";
import { type KeyValue, StorageError } from "../../../src/ports/board.ts";
import { deviceMetadataStore, type MetadataStore } from "../../../src/trust/metadata-store.ts";
import { refused, type Verdict } from "../../../src/trust/refusal.ts";
import { SignatureMemory } from "../../../src/trust/signature-memory.ts";
import type { TrustRules } from "../../../src/trust/trust-rules.ts";
import {
  type FoundTarget,
  type TrustedMetadata,
  TrustUpdater,
} from "../../../src/trust/updater.ts";
import { CuttableKeyValue } from "../../support/storage-cuts.ts";
import {
  CountingCrypto,
  MemoryMetadata,
  now,
  rulesWith,
  TestRepository,
  testKey,
} from "../../support/tuf-repository.ts";

const sha256 = "00".repeat(32);

/** A repository with one release for one hardware, and a client that has its first root. */
function started(): { repository: TestRepository; store: MemoryMetadata; updater: TrustUpdater } {
  const repository = new TestRepository();
  const store = new MemoryMetadata();
  store.write("root", repository.file("1.root.json"));
  const releases = repository.delegate("esp32c3-b");
  releases.targets["esp32c3-b/1.0.0.img"] = { length: 1, hashes: { sha256 } };
  repository.publishNext("esp32c3-b", "targets", "snapshot", "timestamp");
  return { repository, store, updater: updaterOf(repository, store) };
}

function updaterOf(
  repository: TestRepository,
  store: MetadataStore,
  rules: TrustRules = rulesWith(),
): TrustUpdater {
  return new TrustUpdater({ source: repository.source(), store, rules });
}

async function refresh(
  updater: TrustUpdater,
  startUnixMs = now,
): Promise<Verdict<TrustedMetadata>> {
  const root = await updater.updateRoot();
  return root.ok ? updater.refresh(root.value, startUnixMs) : root;
}

async function find(updater: TrustUpdater, name: string): Promise<Verdict<FoundTarget>> {
  const trusted = await refresh(updater);
  return trusted.ok ? updater.find(trusted.value, name) : trusted;
}

function outcome(verdict: Verdict<unknown>): string {
  return verdict.ok ? "accepted" : verdict.reason;
}

const everyday = ["2.root.json", "timestamp.json"];
const first = [...everyday, "2.snapshot.json", "2.targets.json"];

test("asks for the files in the order of the workflow, and stores them byte for byte", async () => {
  const { repository, store, updater } = started();
  assert.equal(outcome(await refresh(updater)), "accepted");
  assert.deepEqual(repository.requests, first);
  assert.deepEqual(store.read("timestamp"), repository.file("timestamp.json"));
  assert.deepEqual(store.read("snapshot"), repository.file("2.snapshot.json"));
  assert.deepEqual(store.read("targets"), repository.file("2.targets.json"));
});

test("asks for the root and the timestamp only while nothing changes", async () => {
  const { repository, updater } = started();
  await find(updater, "esp32c3-b/1.0.0.img");
  repository.requests.length = 0;
  assert.equal(outcome(await find(updater, "esp32c3-b/1.0.0.img")), "accepted");
  assert.deepEqual(repository.requests, everyday);
});

test("verifies one signature when only the timestamp is new, and none when nothing is", async () => {
  const { repository, store } = started();
  const crypto = new CountingCrypto();
  const memory = new SignatureMemory({ entriesMax: 10 });
  const updater = updaterOf(repository, store, { ...rulesWith(), crypto, memory });
  await find(updater, "esp32c3-b/1.0.0.img");
  crypto.verifications = 0;
  await find(updater, "esp32c3-b/1.0.0.img");
  assert.equal(crypto.verifications, 0);
  repository.publishNext("timestamp");
  assert.equal(outcome(await find(updater, "esp32c3-b/1.0.0.img")), "accepted");
  assert.equal(crypto.verifications, 1);
});

test("a file whose signatures were verified is verified again when other keys may sign it", async () => {
  const { repository, store } = started();
  const memory = new SignatureMemory({ entriesMax: 10 });
  const updater = updaterOf(repository, store, { ...rulesWith(), memory });
  await refresh(updater);
  repository.root.keys[testKey(9).id] = testKey(9).json;
  repository.root.roles.targets = { keyids: [testKey(4).id, testKey(9).id], threshold: 2 };
  repository.publishNext("root");
  assert.equal(outcome(await refresh(updater)), "too-few-signatures");
});

test("finds a target in the role of its hardware, and no other", async () => {
  const { repository, store, updater } = started();
  const found = await find(updater, "esp32c3-b/1.0.0.img");
  assert.ok(found.ok);
  assert.equal(found.value.inRole, "esp32c3-b");
  assert.deepEqual(repository.requests, [...first, "1.esp32c3-b.json"]);
  assert.deepEqual(store.read("esp32c3-b"), repository.file("1.esp32c3-b.json"));
  assert.equal(outcome(await find(updater, "esp32c3-b/2.0.0.img")), "target-not-found");
  assert.equal(outcome(await find(updater, "esp32c6-a/1.0.0.img")), "target-not-found");
});

test("follows a chain of roots, stores each, and stops where there is none", async () => {
  const { repository, store, updater } = started();
  for (let count = 0; count < 3; count += 1) repository.publishNext("root");
  assert.equal(outcome(await refresh(updater)), "accepted");
  const roots = repository.requests.filter((address) => address.includes("root"));
  assert.deepEqual(roots, ["2.root.json", "3.root.json", "4.root.json", "5.root.json"]);
  assert.deepEqual(store.read("root"), repository.file("4.root.json"));
});

test("5.3.3: takes no more roots at a time than its limit, and goes on the next time", async () => {
  const { repository, store } = started();
  for (let count = 0; count < 5; count += 1) repository.publishNext("root");
  const rules = rulesWith({ rootStepsMax: 2 });
  await refresh(updaterOf(repository, store, rules));
  assert.deepEqual(store.read("root"), repository.file("3.root.json"));
  await refresh(updaterOf(repository, store, rules));
  assert.deepEqual(store.read("root"), repository.file("5.root.json"));
});

test("5.3.10: an expired root is stored and ends the refresh", async () => {
  const { repository, store, updater } = started();
  repository.root.expires = "2026-11-21T11:00:00Z";
  repository.publishNext("root");
  assert.equal(outcome(await refresh(updater)), "expired");
  assert.deepEqual(store.read("root"), repository.file("2.root.json"));
  assert.equal(store.read("timestamp"), null);
});

test("5.3.11: rotated keys recover from a timestamp and a snapshot that ran far ahead", async () => {
  const { repository, store, updater } = started();
  repository.timestamp.version = 1_000_000;
  repository.snapshot.version = 1_000_000;
  repository.publish("snapshot", "timestamp");
  assert.equal(outcome(await refresh(updater)), "accepted");
  repository.snapshot.version = 2;
  repository.timestamp.version = 2;
  repository.publishNext("snapshot", "timestamp");
  assert.equal(outcome(await refresh(updater)), "version-rollback");
  for (const [role, index] of [
    ["timestamp", 8],
    ["snapshot", 9],
  ] as const) {
    repository.root.keys[testKey(index).id] = testKey(index).json;
    repository.root.roles[role].keyids = [testKey(index).id];
    repository.signers[role] = [testKey(index)];
  }
  repository.publishNext("root", "snapshot", "timestamp");
  assert.equal(outcome(await refresh(updater)), "accepted");
  assert.deepEqual(store.read("snapshot"), repository.file("4.snapshot.json"));
});

test("a stored file that the trusted root's keys did not sign counts as none", async () => {
  const { repository, store, updater } = started();
  await refresh(updater);
  for (const name of ["timestamp", "snapshot", "targets"]) store.write(name, Uint8Array.of(1));
  repository.requests.length = 0;
  assert.equal(outcome(await refresh(updater)), "accepted");
  assert.deepEqual(repository.requests, first);
});

test("without a trusted root nothing is asked for", async () => {
  const { repository, updater, store } = started();
  store.delete("root");
  assert.equal(outcome(await refresh(updater)), "no-trusted-root");
  store.write("root", Uint8Array.of(0x7b, 0x7d));
  assert.equal(outcome(await refresh(updater)), "malformed-metadata");
  assert.deepEqual(repository.requests, []);
});

test("a role that is not in the snapshot is not fetched", async () => {
  const { repository, updater } = started();
  repository.delegate("esp32c6-a", {}, repository.targets, 9);
  repository.publishNext("targets", "snapshot", "timestamp");
  repository.requests.length = 0;
  assert.equal(outcome(await find(updater, "esp32c6-a/1.0.0.img")), "role-not-in-snapshot");
  assert.ok(!repository.requests.some((address) => address.includes("esp32c6-a")));
});

test("a role that one way leads to is verified anew when another does", async () => {
  const { repository, updater } = started();
  const a = repository.delegate("a", { paths: ["a/*"] });
  const b = repository.delegate("b", { paths: ["b/*"] });
  const shared = repository.delegate("shared", { paths: ["a/*"] }, a, 9);
  repository.delegate("shared", { paths: ["b/*"] }, b, 0);
  repository.delegated.set("shared", shared);
  repository.signers["shared"] = [testKey(9)];
  shared.targets["a/x"] = { length: 1, hashes: { sha256 } };
  shared.targets["b/x"] = { length: 1, hashes: { sha256 } };
  repository.publishNext("shared", "a", "b", "targets", "snapshot", "timestamp");
  const trusted = await refresh(updater);
  assert.ok(trusted.ok);
  assert.equal(outcome(await updater.find(trusted.value, "a/x")), "accepted");
  assert.equal(outcome(await updater.find(trusted.value, "b/x")), "too-few-signatures");
});

test("files without versions in their names are asked for where snapshots are not consistent", async () => {
  const { repository, store, updater } = started();
  repository.root.consistent_snapshot = false;
  repository.publish("root");
  store.write("root", repository.file("1.root.json"));
  repository.publishNext("esp32c3-b", "targets", "snapshot", "timestamp");
  assert.equal(outcome(await find(updater, "esp32c3-b/1.0.0.img")), "accepted");
  assert.deepEqual(repository.requests, [
    ...everyday,
    ...["snapshot.json", "targets.json", "esp32c3-b.json"],
  ]);
});

test("a missing file, an error and a broken transfer are told apart", async () => {
  for (const [answer, reason] of [
    [{ kind: "missing" }, "metadata-missing"],
    [{ kind: "failed", refusal: refused("server-error", "500") }, "server-error"],
    [{ kind: "failed", refusal: refused("network", "timeout") }, "network"],
  ] as const)
    for (const address of ["timestamp.json", "2.snapshot.json", "2.targets.json"]) {
      const { repository, updater } = started();
      repository.interfere = (asked) => (asked === address ? answer : null);
      assert.equal(outcome(await refresh(updater)), reason, address);
      repository.interfere = () => null;
      assert.equal(outcome(await refresh(updater)), "accepted", address);
    }
});

test("a storage that refuses a file ends the refresh with its reason", async () => {
  for (const refusing of ["root", "timestamp", "snapshot", "targets"]) {
    const { repository, store } = started();
    repository.publishNext("root");
    const full: MetadataStore = {
      read: (name) => store.read(name),
      delete: (name) => store.delete(name),
      write(name, bytes) {
        if (name === refusing) throw new StorageError("full");
        store.write(name, bytes);
      },
    };
    assert.equal(outcome(await refresh(updaterOf(repository, full))), "storage-error", refusing);
  }
});

const deviceStore = (keyValue: KeyValue): MetadataStore =>
  deviceMetadataStore("esp32c3-b", (name, options) => new DocumentStore(keyValue, name, options));

test("a device keeps its own role and no other delegated one", async () => {
  const { repository } = started();
  const keyValue = new CuttableKeyValue();
  const store = deviceStore(keyValue);
  store.write("root", repository.file("1.root.json"));
  repository.delegate("releases").targets["releases/x"] = { length: 1, hashes: { sha256 } };
  repository.publishNext("releases", "targets", "snapshot", "timestamp");
  const updater = updaterOf(repository, store);
  assert.equal(outcome(await find(updater, "esp32c3-b/1.0.0.img")), "accepted");
  assert.equal(outcome(await find(updater, "releases/x")), "accepted");
  assert.deepEqual(store.read("esp32c3-b"), repository.file("1.esp32c3-b.json"));
  assert.equal(store.read("releases"), null);
});

/** What the cut-off refreshes below start from: a fleet that goes on, or one that recovers. */
function movedOn(rotates: boolean): {
  repository: TestRepository;
  before: () => Promise<CuttableKeyValue>;
} {
  const { repository } = started();
  const old = new Map(repository.files);
  repository.publishNext("esp32c3-b", "targets");
  if (rotates) {
    repository.root.keys[testKey(9).id] = testKey(9).json;
    repository.root.roles.timestamp.keyids = [testKey(9).id];
    repository.signers["timestamp"] = [testKey(9)];
    repository.timestamp.version = 0;
  }
  repository.publishNext("root", "root", "snapshot", "timestamp");
  const fresh = new Map(repository.files);
  const swap = (files: ReadonlyMap<string, Uint8Array>): void => {
    repository.files.clear();
    for (const [address, bytes] of files) repository.files.set(address, bytes);
  };
  return {
    repository,
    async before() {
      const keyValue = new CuttableKeyValue();
      const store = deviceStore(keyValue);
      swap(old);
      store.write("root", repository.file("1.root.json"));
      const found = await find(updaterOf(repository, store), "esp32c3-b/1.0.0.img");
      assert.equal(outcome(found), "accepted");
      swap(fresh);
      keyValue.changes = 0;
      return keyValue;
    },
  };
}

for (const rotates of [false, true])
  test(`a refresh${rotates ? " that recovers from a stolen key" : ""} may be cut off at any write: the next one ends as if nothing had happened`, async () => {
    const { repository, before } = movedOn(rotates);
    const act = async (keyValue: KeyValue): Promise<string> =>
      outcome(await find(updaterOf(repository, deviceStore(keyValue)), "esp32c3-b/1.0.0.img"));
    const whole = (await before()).clone();
    assert.equal(await act(whole), "accepted");
    const { changes } = whole;
    assert.ok(changes >= 8, `${changes} changes`);
    const start = await before();
    for (let change = 0; change < changes; change += 1)
      for (const side of ["before", "after"] as const) {
        const cut = start.clone();
        cut.cut = { change, side };
        await assert.rejects(act(cut), PowerCut);
        const again = cut.clone();
        assert.equal(await act(again), "accepted", `cut ${side} change ${change}`);
        for (const role of ["root", "timestamp", "snapshot", "targets", "esp32c3-b"])
          assert.deepEqual(deviceStore(again).read(role), deviceStore(whole).read(role), role);
      }
  });
