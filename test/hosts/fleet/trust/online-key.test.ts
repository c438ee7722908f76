import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { verifyAuditLog } from "../../../../hosts/release/keys/audit-entry.ts";
import { type Signer, SignerError } from "../../../../hosts/release/keys/signer.ts";
import { addKey, removeKey } from "../../../../hosts/release/trust/changes.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { metadataSigner, signAll, signedRepository } from "../../../support/trust-repository.ts";
import { TestFleet } from "../test-fleet.ts";
import {
  day,
  directorOf,
  get,
  hour,
  nonce,
  nowUnixMs,
  online,
  places,
  publish,
  release,
} from "./trust-scene.ts";

test("signs a timestamp anew at half of its life, and goes on after a restart", async (context) => {
  const { folder, fleet, repository } = await places(context);
  await publish(fleet, repository);
  const versionOf = async (server: TestFleet) =>
    JSON.parse((await get(server, "timestamp.json")).body).signed.version;
  fleet.nowUnixMs += 11 * hour;
  await fleet.server.tick();
  const secondsAt = (hours: number): number => (nowUnixMs + hours * hour) / 1000;
  assert.equal(await versionOf(fleet), secondsAt(0));
  fleet.nowUnixMs += 2 * hour;
  await fleet.server.tick();
  assert.equal(await versionOf(fleet), secondsAt(13));
  await fleet.server.close();
  const again = await TestFleet.open(context, { trust: { folder, onlineSigner: online } });
  again.nowUnixMs = fleet.nowUnixMs + 13 * hour;
  await again.server.tick();
  assert.equal(await versionOf(again), secondsAt(26));
});

test("a backup that came back within a minute of its last signature moves past what was served", async (context) => {
  const { folder, fleet, repository } = await places(context);
  await publish(fleet, repository);
  const backup = temporaryFolder(context);
  cpSync(folder, backup, { recursive: true });
  const more = await signedRepository(temporaryFolder(context), nowUnixMs, [
    release,
    { ...release, version: "1.2.0" },
  ]);
  fleet.nowUnixMs += 20_000;
  await publish(fleet, more);
  const versionsOf = async (server: TestFleet): Promise<number[]> => {
    const { version, meta } = JSON.parse((await get(server, "timestamp.json")).body).signed;
    return [version, meta["snapshot.json"].version];
  };
  const served = await versionsOf(fleet);
  await fleet.server.close();
  const trust = { folder: backup, onlineSigner: online };
  const restored = await TestFleet.open(context, { trust }, 40);
  for (const seconds of [1, 60, 1]) await restored.wait(seconds);
  const moved = await versionsOf(restored);
  assert.ok(moved[0]! > served[0]! && moved[1]! > served[1]!, `${moved} after ${served}`);
  for (let minutes = 0; minutes < 10; minutes += 1) await restored.wait(60);
  assert.deepEqual(await versionsOf(restored), moved, "and is signed anew no more than once");
});

test("warns once at 50 and once at 20 percent of a life, and when it is over", async (context) => {
  const { fleet, repository } = await places(context);
  await publish(fleet, repository);
  const warningsAfter = async (days: number) => {
    fleet.nowUnixMs = nowUnixMs + days * day;
    await fleet.server.tick();
    await fleet.server.tick();
    const { items } = await fleet.api("GET", "/events?limit=500");
    const warnings = items.filter(({ kind }: { kind: string }) => kind === "trust-warning");
    return warnings.map(
      ({ details }: { details: { role: string; expiry: string } }) =>
        `${details.role} ${details.expiry}`,
    );
  };
  const offline = ["targets", "esp32c3-b", "evidence"];
  assert.deepEqual(await warningsAfter(1), []);
  const half = offline.map((role) => `${role} half`);
  assert.deepEqual(await warningsAfter(91), half);
  assert.deepEqual(await warningsAfter(92), half);
  const soon = [...half, ...offline.map((role) => `${role} soon`)];
  assert.deepEqual(await warningsAfter(145), soon);
  const over = [...soon, "root half", ...offline.map((role) => `${role} expired`)].sort();
  assert.deepEqual((await warningsAfter(190)).sort(), over);
  const view = await fleet.api("GET", "/trust");
  const levels = view.roles.map(({ role, level }: Record<string, string>) => `${role} ${level}`);
  assert.deepEqual(levels, [
    "root half",
    ...offline.map((role) => `${role} expired`),
    "snapshot good",
    "timestamp good",
  ]);
});

test("metrics tell how long each document is good for, to whoever has the admin token", async (context) => {
  const { fleet, repository } = await places(context);
  await publish(fleet, repository);
  await fleet.addDevice("device-1");
  fleet.nowUnixMs += 100 * day;
  const answer = await fleet.inject({ method: "GET", url: "/metrics" });
  assert.match(String(answer.headers["content-type"]), /^text\/plain; version=0\.0\.4/);
  for (const line of [
    /^sluice_devices 1$/m,
    /^sluice_trust_ready 0$/m, // its timestamp has expired
    /^sluice_trust_life_left_ratio\{role="targets"\} 0\.44$/m,
    new RegExp(
      `^sluice_trust_expires_timestamp_seconds\\{role="root"\\} ${(nowUnixMs + 365 * day) / 1000}$`,
      "m",
    ),
  ])
    assert.match(answer.body, line);
  const locked = await TestFleet.open(context, { adminToken: "admin-token" });
  assert.equal((await locked.inject({ method: "GET", url: "/metrics" })).statusCode, 401);
  const headers = { authorization: "Bearer admin-token" };
  const allowed = await locked.inject({ method: "GET", url: "/metrics", headers });
  assert.match(allowed.body, /^sluice_devices 0$/m);
  assert.doesNotMatch(allowed.body, /sluice_trust/);
});

test("without the online key that the root names it signs nothing and says so", async (context) => {
  for (const signer of [null, metadataSigner(77)]) {
    const { fleet, repository } = await places(context, signer);
    await publish(fleet, repository);
    const view = await fleet.api("GET", "/trust");
    assert.equal(view.ready, false);
    assert.match(view.problem, /online key/);
    assert.equal((await get(fleet, "timestamp.json")).statusCode, 404);
    const device = await fleet.addDevice("device-1");
    const answer = await device.request("GET", `director?nonce=${"0".repeat(32)}`);
    assert.equal(answer.statusCode, 404);
  }
});

test("a new root with another online key stops the old one", async (context) => {
  const { fleet, repository } = await places(context);
  await publish(fleet, repository);
  const fresh = metadataSigner(78);
  assert.ok(addKey(repository, "online", fresh, nowUnixMs).ok);
  assert.ok(removeKey(repository, "online", online.keyId, nowUnixMs).ok);
  await signAll(repository);
  await publish(fleet, repository);
  assert.match((await fleet.api("GET", "/trust")).problem, /is not the one that root names/);
});

test("a server with the old and the new online key goes from one to the other without a pause", async (context) => {
  const fresh = metadataSigner(78);
  const folder = mkdtempSync(join(tmpdir(), "sluice-trust-"));
  const trust = { folder, onlineSigner: online, moreOnlineSigners: [fresh] };
  const fleet = await TestFleet.open(context, { trust });
  // After the server, which writes its log at the end.
  context.after(() => rmSync(folder, { recursive: true }));
  const repository = await signedRepository(temporaryFolder(context), nowUnixMs, [release]);
  await publish(fleet, repository);
  const keyOf = async () =>
    JSON.parse((await get(fleet, "timestamp.json")).body).signatures.map(
      ({ keyid }: { keyid: string }) => keyid,
    );
  assert.deepEqual(await keyOf(), [online.keyId]);
  const device = await fleet.addDevice("device-1");
  await directorOf(fleet, device);
  assert.ok(addKey(repository, "online", fresh, nowUnixMs).ok);
  assert.ok(removeKey(repository, "online", online.keyId, nowUnixMs).ok);
  await signAll(repository);
  await publish(fleet, repository);
  assert.deepEqual(await keyOf(), [fresh.keyId]);
  assert.equal((await fleet.api("GET", "/trust")).ready, true);
  const answer = await device.request("GET", `director?nonce=${nonce}`);
  assert.equal(answer.json().signatures[0].keyid, fresh.keyId);
  await fleet.server.tick();
  const log = readFileSync(join(folder, "audit.jsonl"), "utf8");
  const verdict = verifyAuditLog(log, new Set([online.keyId, fresh.keyId]));
  assert.ok(verdict.ok);
  const uses = verdict.entries.flatMap(({ keyId, uses: all }) =>
    all.filter(({ purpose }) => purpose.startsWith("director")).map(() => keyId),
  );
  assert.deepEqual(uses, [online.keyId, fresh.keyId]);
});

test("a stop ends a signer that hangs, also the one that it asked last", async (context) => {
  let hangs = false;
  const thinking = new Set<(error: Error) => void>();
  let asked = 0;
  const signer: Signer = {
    ...online,
    sign(digest) {
      if (!hangs) return online.sign(digest);
      asked += 1;
      return new Promise((_, reject) => thinking.add(reject));
    },
    end() {
      for (const reject of thinking) reject(new SignerError("unavailable", "it was ended"));
      thinking.clear();
    },
  };
  const folder = temporaryFolder(context);
  const fleet = await TestFleet.open(context, {
    trust: { folder, onlineSigner: signer },
    connections: { stopMs: 400, drainMs: 100 },
  });
  await publish(fleet, await signedRepository(temporaryFolder(context), nowUnixMs, [release]));
  const device = await fleet.addDevice("lamp");
  await directorOf(fleet, device); // its use is in no log yet
  hangs = true;
  await fleet.server.close();
  assert.ok(asked > 0, "the entry of the use was to be signed");
  assert.equal(thinking.size, 0);
});
