import assert from "node:assert/strict";
import { test } from "node:test";
import { PowerCut } from "../../../hosts/flash/operation.ts";
import { gateMemory, isPassing } from "../../../src/trust/gate.ts";
import { deviceLimits } from "../../../src/trust/limits.ts";
import { CuttableKeyValue } from "../../support/storage-cuts.ts";
import { TrustBench, testRelease } from "../../support/trust-bench.ts";
import { now, testKey } from "../../support/tuf-repository.ts";

const minute = 60_000;
const day = 86_400_000;
const release = testRelease(1);

test("approves what the offline keys signed and the director assigns, with its signed facts", async () => {
  const bench = new TrustBench();
  bench.sign(testRelease(2), { breaking: true, windowOverride: true });
  bench.assigned = testRelease(2);
  const verdict = await bench.gate.check(testRelease(2), { securityCounter: 5 });
  assert.ok(verdict.ok);
  assert.equal(verdict.value.targetName, "esp32c3-b/1.2.0.img");
  assert.equal(verdict.value.trustedUnixMs, now);
  const { breaking, windowOverride, downgradeAllowed } = verdict.value.release;
  assert.deepEqual([breaking, windowOverride, downgradeAllowed], [true, true, false]);
});

test("approves again after a restart, and asks with another nonce each time", async () => {
  const bench = new TrustBench();
  assert.equal(await bench.offer(release), "approved");
  bench.restarted();
  assert.equal(await bench.offer(release), "approved");
  assert.equal(new Set(bench.nonces).size, 2);
});

test("an offer whose image hash is not known yet is approved by its file", async () => {
  const bench = new TrustBench();
  assert.equal(await bench.offer({ ...release, imageHash: null }), "approved");
});

test("a steady device verifies the director's signature and the timestamp's, a new release three more", async () => {
  const bench = new TrustBench();
  await bench.offer(release);
  bench.crypto.verifications = 0;
  bench.repository.publishNext("timestamp");
  await bench.offer(release);
  assert.equal(bench.crypto.verifications, 2);
  bench.crypto.verifications = 0;
  bench.releases.targets[testRelease(2).targetName] = bench.releases.targets[release.targetName];
  bench.repository.publishNext("esp32c3-b", "snapshot", "timestamp");
  await bench.offer(release);
  assert.equal(bench.crypto.verifications, 4);
});

test("a gate for each check verifies no more than one for all, when they share a memory", async () => {
  const bench = new TrustBench();
  const memory = gateMemory();
  bench.restarted(memory);
  assert.equal(await bench.offer(release), "approved");
  bench.crypto.verifications = 0;
  bench.repository.publishNext("timestamp");
  bench.restarted(memory);
  assert.equal(await bench.offer(release), "approved");
  assert.equal(bench.crypto.verifications, 2, "the director's, and the new timestamp's");
});

test("keeps what runs while the director assigns nothing", async () => {
  const bench = new TrustBench();
  assert.equal(await bench.check(release), "nothing-assigned");
});

test("refuses an offer that the director does not assign", async () => {
  const bench = new TrustBench();
  bench.sign(testRelease(2));
  bench.assigned = testRelease(2);
  assert.equal(await bench.check(release), "offer-mismatch");
  bench.assigned = release;
  assert.equal(await bench.check({ ...release, fileBytes: 1 }), "offer-mismatch");
  const other = { ...release, imageHash: "ff".repeat(32) };
  assert.equal(await bench.check(other), "offer-mismatch");
});

test("refuses a file that the director alone names", async () => {
  const bench = new TrustBench();
  assert.equal(await bench.offer(testRelease(9)), "target-not-found");
  const renamed = { ...testRelease(9), targetName: release.targetName };
  assert.equal(await bench.offer(renamed), "assignment-mismatch");
  const longer = { ...release, fileBytes: release.fileBytes + 1 };
  assert.equal(await bench.offer(longer), "assignment-mismatch");
});

test("refuses a release that is signed for other hardware", async () => {
  const bench = new TrustBench();
  bench.sign(testRelease(3), { hardware: ["esp32c6-a"] });
  assert.equal(await bench.offer(testRelease(3)), "hardware-mismatch");
});

test("refuses a counter below the running one, and one that the two name differently", async () => {
  const bench = new TrustBench();
  assert.equal(await bench.offer(release, 6), "security-counter");
  assert.equal(await bench.offer({ ...release, securityCounter: 6 }), "assignment-mismatch");
  assert.equal(await bench.offer(release, null), "approved");
});

test("refuses a signed target without readable facts", async () => {
  const bench = new TrustBench();
  bench.releases.targets[release.targetName].custom = { sluice: { format: 2 } };
  bench.repository.publishNext("esp32c3-b", "snapshot", "timestamp");
  assert.equal(await bench.offer(release), "release-facts");
  delete bench.releases.targets[release.targetName].custom;
  bench.repository.publishNext("esp32c3-b", "snapshot", "timestamp");
  assert.equal(await bench.offer(release), "release-facts");
});

test("refuses a director document of another device, hardware or question", async () => {
  const bench = new TrustBench();
  bench.falsify = (document) => ({ ...document, deviceId: "device-2" });
  assert.equal(await bench.offer(release), "director-other-device");
  bench.falsify = (document) => ({ ...document, hardware: "esp32c6-a" });
  assert.equal(await bench.offer(release), "director-other-hardware");
  bench.falsify = (document) => document;
  let first: Uint8Array | null = null;
  bench.answer = (bytes) => {
    first ??= bytes;
    return { kind: "found", body: first };
  };
  assert.equal(await bench.offer(release), "approved");
  assert.equal(await bench.offer(release), "director-replayed");
});

test("refuses a director document of any key but the director's", async () => {
  const bench = new TrustBench();
  for (const index of [0, 3, 5, 6, 8, 9]) {
    bench.directorKey = testKey(index);
    assert.equal(await bench.offer(release), "too-few-signatures", `key ${index}`);
  }
});

test("refuses timestamp metadata in the director's place, also signed by its key", async () => {
  const bench = new TrustBench();
  bench.repository.root.roles.timestamp.keyids = [testKey(7).id];
  bench.repository.signers["timestamp"] = [testKey(7)];
  bench.repository.publishNext("root", "timestamp");
  bench.answer = () => ({ kind: "found", body: bench.repository.file("timestamp.json") });
  assert.equal(await bench.offer(release), "wrong-type");
});

test("refuses an expired director document", async () => {
  const bench = new TrustBench();
  bench.falsify = (document) => ({ ...document, expiresUnixMs: document.timeUnixMs });
  assert.equal(await bench.offer(release), "director-expired");
});

test("takes no lower version of the director again, over restarts", async () => {
  const bench = new TrustBench();
  bench.version = 7;
  assert.equal(await bench.offer(release), "approved");
  bench.version = 6;
  bench.restarted();
  assert.equal(await bench.offer(release), "director-rollback");
  bench.version = 7;
  assert.equal(await bench.offer(release), "approved");
});

test("trusted time never runs backwards, over restarts", async () => {
  const bench = new TrustBench();
  bench.timeUnixMs = now + 60 * minute;
  assert.equal(await bench.offer(release), "approved");
  bench.restarted();
  bench.timeUnixMs = now + 54 * minute;
  assert.equal(await bench.offer(release), "time-set-back");
  bench.timeUnixMs = now + 56 * minute;
  bench.assigned = release;
  const verdict = await bench.gate.check(release, { securityCounter: 5 });
  assert.ok(verdict.ok);
  assert.equal(verdict.value.trustedUnixMs, now + 60 * minute);
});

test("the director's time decides what has expired", async () => {
  const bench = new TrustBench();
  bench.timeUnixMs = now + day;
  assert.equal(await bench.offer(release), "expired");
  bench.repository.timestamp.expires = "2026-11-24T12:00:00Z";
  bench.repository.publishNext("timestamp");
  assert.equal(await bench.offer(release), "approved");
});

test("a root that takes the director's key away makes the device forget what it said", async () => {
  const bench = new TrustBench();
  bench.version = 1_000_000;
  bench.timeUnixMs = now + 5 * 365 * day;
  assert.equal(await bench.offer(release), "expired");
  bench.version = 2;
  bench.timeUnixMs = now;
  assert.equal(await bench.offer(release), "director-rollback");
  bench.repository.root.keys[testKey(9).id] = testKey(9).json;
  bench.repository.root["x-sluice-director"].keyids = [testKey(9).id];
  bench.repository.publishNext("root");
  bench.directorKey = testKey(9);
  assert.equal(await bench.offer(release), "approved");
});

test("a key that a root adds to the director's makes it forget nothing", async () => {
  const bench = new TrustBench();
  bench.version = 7;
  assert.equal(await bench.offer(release), "approved");
  bench.repository.root.keys[testKey(9).id] = testKey(9).json;
  bench.repository.root["x-sluice-director"].keyids.push(testKey(9).id);
  bench.repository.publishNext("root");
  bench.version = 6;
  assert.equal(await bench.offer(release), "director-rollback");
});

test("without a director in the root nothing is approved", async () => {
  const bench = new TrustBench();
  delete bench.repository.root["x-sluice-director"];
  bench.repository.publishNext("root");
  assert.equal(await bench.offer(release), "director-not-named");
});

test("a server without a director document, or with a long one, approves nothing", async () => {
  const bench = new TrustBench();
  bench.answer = () => ({ kind: "missing" });
  assert.equal(await bench.offer(release), "metadata-missing");
  bench.answer = () => ({ kind: "found", body: new Uint8Array(2049).fill(0x20) });
  assert.equal(await bench.offer(release), "too-large");
  bench.answer = () => ({ kind: "found", body: new TextEncoder().encode("[".repeat(2000)) });
  assert.equal(await bench.offer(release), "json-too-deep");
});

test("a storage that is full refuses, and the next check goes on", async () => {
  const keyValue = new CuttableKeyValue();
  const bench = new TrustBench(keyValue);
  keyValue.refuses = (key) => key === "tuf.director";
  assert.equal(await bench.offer(release), "storage-error");
  keyValue.refuses = (key) => key.startsWith("tuf.releases");
  assert.equal(await bench.offer(release), "storage-error");
  keyValue.refuses = () => false;
  assert.equal(await bench.offer(release), "approved");
});

test("a check that is cut off at any write ends well the next time, and loses no version", async () => {
  const start = new CuttableKeyValue();
  const bench = new TrustBench(start);
  bench.version = 7;
  await bench.offer(release);
  start.changes = 0;
  bench.sign(testRelease(2));
  bench.version = 8;
  bench.timeUnixMs = now + 30 * minute;
  const repository = bench.repository;
  const act = async (keyValue: CuttableKeyValue): Promise<string> => {
    Object.assign(bench, { keyValue });
    bench.restarted();
    return bench.offer(testRelease(2));
  };
  const whole = start.clone();
  assert.equal(await act(whole), "approved");
  assert.ok(whole.changes >= 5, `${whole.changes} changes`);
  for (let change = 0; change < whole.changes; change += 1)
    for (const side of ["before", "after"] as const) {
      const cut = start.clone();
      cut.cut = { change, side };
      await assert.rejects(act(cut), PowerCut);
      const again = cut.clone();
      bench.version = 6;
      assert.equal(await act(again), "director-rollback", `cut ${side} change ${change}`);
      bench.version = 8;
      assert.equal(await act(again), "approved", `cut ${side} change ${change}`);
    }
  assert.equal(repository.requests.includes("3.root.json"), false);
});

test("the files of a fleet with a busy role fit the device's caps", async () => {
  const bench = new TrustBench();
  for (let number = 2; number <= 14; number += 1)
    bench.sign(testRelease(number), {
      steppingStone: { major: 1, minor: 0, revision: 0, build: 0 },
    });
  assert.equal(await bench.offer(testRelease(14)), "approved");
  const sizes = ["root", "timestamp", "snapshot", "targets", "esp32c3-b"].map(
    (role) => bench.store().read(role)?.length ?? 0,
  );
  const caps = [
    deviceLimits.rootBytesMax,
    deviceLimits.timestampBytesMax,
    deviceLimits.snapshotBytesMax,
    deviceLimits.targetsBytesMax,
    deviceLimits.targetsBytesMax,
  ];
  sizes.forEach((size, index) => {
    assert.ok(size > 0 && size <= (caps[index] ?? 0), `${sizes}`);
  });
});

test("what nobody signed ends no check for good", () => {
  for (const reason of [
    "network",
    "server-error",
    "metadata-missing",
    "response-malformed",
    "director-rollback",
    "time-set-back",
  ] as const)
    assert.ok(isPassing(reason), reason);
  for (const reason of ["too-few-signatures", "hash-mismatch", "director-replayed"] as const)
    assert.ok(!isPassing(reason), reason);
});
