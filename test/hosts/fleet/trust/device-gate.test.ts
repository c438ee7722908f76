import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { addKey, removeKey } from "../../../../hosts/release/trust/changes.ts";
import { fileOf, type TrustDocument } from "../../../../hosts/release/trust/document.ts";
import { addRelease } from "../../../../hosts/release/trust/releases.ts";
import { fileNameOf, type TrustRepository } from "../../../../hosts/release/trust/repository.ts";
import { nobleCrypto } from "../../../../src/ports/noble-crypto.ts";
import { TrustGate } from "../../../../src/trust/gate.ts";
import type { MetadataSource } from "../../../../src/trust/metadata-source.ts";
import type { MetadataStore } from "../../../../src/trust/metadata-store.ts";
import { p256TrustCrypto } from "../../../../src/trust/p256-crypto.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { MemoryKeyValue } from "../../../support/memory-key-value.ts";
import {
  metadataSigner,
  signAll,
  signedImage,
  signedRepository,
  trustKeys,
} from "../../../support/trust-repository.ts";
import { type TestDevice, TestFleet } from "../test-fleet.ts";

const nowUnixMs = 1_800_000_000_000;
const day = 86_400_000;
const hardware = "esp32c3-b";

/** A fleet that publishes from a release machine, and a device with the first root. */
async function stage(context: TestContext) {
  const [onlineSigner] = trustKeys.online;
  const folder = mkdtempSync(join(tmpdir(), "sluice-trust-"));
  const fleet = await TestFleet.open(context, { trust: { folder, onlineSigner } });
  // After the server, which writes its log at the end.
  context.after(() => rmSync(folder, { recursive: true }));
  const repository = await signedRepository(temporaryFolder(context), nowUnixMs, [
    { version: "1.1.0", hardware },
  ]);
  await publish(fleet, repository);
  const device = await fleet.addDevice("device-1");
  device.runs("1.0.0", "aa".repeat(32));
  const [first] = repository.roots;
  return { fleet, repository, device, gate: gateOf(device, fileOf(first ?? assert.fail())) };
}

async function publish(fleet: TestFleet, repository: TrustRepository): Promise<void> {
  const roles = ["targets", ...repository.delegatedRoles];
  const current = roles.map((role) => repository.current(role)).filter((one) => one !== null);
  const all: readonly TrustDocument[] = [...repository.roots, ...current];
  const documents = Object.fromEntries(all.map((one) => [fileNameOf(one), fileOf(one).toString()]));
  const send = () =>
    fleet.inject({ method: "POST", url: "/api/v1/trust/metadata", payload: { documents } });
  for (const { name, sha256 } of (await send()).json().missing ?? [])
    await fleet.inject({
      method: "POST",
      url: `/api/v1/trust/targets?sha256=${sha256}`,
      headers: { "content-type": "application/octet-stream" },
      payload: repository.target(name, sha256) ?? Buffer.alloc(0),
    });
  assert.equal((await send()).statusCode, 200);
}

function gateOf(device: TestDevice, firstRoot: Uint8Array): TrustGate {
  const files = new Map<string, Uint8Array>([["root", firstRoot]]);
  const store: MetadataStore = {
    read: (role) => files.get(role) ?? null,
    write: (role, bytes) => void files.set(role, bytes),
    delete: (role) => void files.delete(role),
  };
  const sourceOf = (base: string): MetadataSource => ({
    async fetch(address, bytesMax) {
      const answer = await device.request("GET", `${base}${address}`);
      if (answer.statusCode === 404) return { kind: "missing" };
      assert.equal(answer.statusCode, 200, answer.body);
      assert.ok(answer.rawPayload.length <= bytesMax, `${address} is too large for a device`);
      return { kind: "found", body: new Uint8Array(answer.rawPayload) };
    },
  });
  let seed = 1;
  return new TrustGate({
    metadata: sourceOf("/DEFAULT/tuf/"),
    director: sourceOf(`/DEFAULT/controller/v1/${device.id}/`),
    store,
    keyValue: new MemoryKeyValue(),
    random: {
      next() {
        seed = (seed * 16_807) % 2_147_483_647;
        return seed / 2_147_483_647;
      },
    },
    crypto: p256TrustCrypto(nobleCrypto),
    heardTime() {},
    device: { deviceId: device.id, hardware },
  });
}

/** Publishes an image, starts a rollout, and asks the device's gate about the offer. */
async function offer(fleet: TestFleet, device: TestDevice, image: Uint8Array) {
  const published = await fleet.publishBytes(image);
  assert.equal(published.statusCode, 201, published.body);
  const { version, image: view } = published.json();
  const stages = [{ percent: 100, soakSeconds: 0 }];
  const rollout = await fleet.api("POST", "/rollouts", {
    name: version,
    releaseVersion: version,
    stages,
  });
  await fleet.api("POST", `/rollouts/${rollout.id}/start`);
  assert.notEqual(await device.offered(), null);
  return { fileHash: view.fileHash, fileBytes: image.length, imageHash: view.imageHash };
}

test("a device takes what the offline keys signed and the server assigned", async (context) => {
  const { fleet, device, gate } = await stage(context);
  const offered = await offer(fleet, device, await signedImage("1.1.0", hardware));
  const verdict = await gate.check(offered, { securityCounter: 0 });
  assert.ok(verdict.ok, verdict.ok ? "" : `${verdict.reason}: ${verdict.detail}`);
  assert.equal(verdict.value.targetName, "esp32c3-b/1.1.0.img");
  assert.equal(verdict.value.trustedUnixMs, fleet.nowUnixMs);
  assert.equal(verdict.value.release.imageHash, offered.imageHash);
});

test("a device takes nothing that a server offers without the offline keys", async (context) => {
  const { fleet, device, gate } = await stage(context);
  const offered = await offer(fleet, device, await signedImage("1.2.0", hardware));
  const verdict = await gate.check(offered, { securityCounter: 0 });
  assert.equal(verdict.ok ? "taken" : verdict.reason, "nothing-assigned");
});

test("a device follows new root, targets and online keys to the next release", async (context) => {
  const { fleet, repository, device, gate } = await stage(context);
  const offered = await offer(fleet, device, await signedImage("1.1.0", hardware));
  assert.ok((await gate.check(offered, { securityCounter: 0 })).ok);
  const [oldRoot] = trustKeys.root;
  const [oldTargets] = trustKeys.targets;
  const [freshRoot, freshTargets] = [metadataSigner(41), metadataSigner(42)];
  const changes = [
    addKey(repository, "root", freshRoot, nowUnixMs),
    removeKey(repository, "root", oldRoot.keyId, nowUnixMs),
    addKey(repository, "targets", freshTargets, nowUnixMs),
    removeKey(repository, "targets", oldTargets.keyId, nowUnixMs),
  ];
  assert.ok(changes.every(({ ok }) => ok));
  await signAll(repository, [...trustKeys.root, freshRoot, freshTargets]);
  const image = await signedImage("1.2.0", hardware, 2);
  assert.ok(
    addRelease(repository, { images: [image], evidence: [], energy: null, now: nowUnixMs }).ok,
  );
  await signAll(repository, [freshTargets]);
  await publish(fleet, repository);
  fleet.nowUnixMs += 60_000;
  const installed = await fleet.api("GET", "/rollouts?limit=1");
  await fleet.api("POST", `/rollouts/${installed.items[0].id}/cancel`);
  await device.poll();
  const cancelled = await device.poll();
  const id = /cancelAction\/(\d+)/.exec(cancelled["cancelAction"] ?? "")?.[1];
  if (id !== undefined)
    await device.request("POST", `cancelAction/${id}/feedback`, {
      body: { id, status: { execution: "closed", result: { finished: "success" } } },
    });
  const next = await offer(fleet, device, image);
  const verdict = await gate.check(next, { securityCounter: 1 });
  assert.ok(verdict.ok, verdict.ok ? "" : `${verdict.reason}: ${verdict.detail}`);
  assert.equal(verdict.value.release.securityCounter, 2);
});

test("a device takes nothing from metadata that nobody signed again in time", async (context) => {
  const { fleet, device, gate } = await stage(context);
  const offered = await offer(fleet, device, await signedImage("1.1.0", hardware));
  fleet.nowUnixMs += 200 * day;
  await fleet.server.tick();
  const verdict = await gate.check(offered, { securityCounter: 0 });
  assert.equal(verdict.ok ? "taken" : verdict.reason, "expired");
});
