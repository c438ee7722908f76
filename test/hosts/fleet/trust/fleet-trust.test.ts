import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { verifyAuditLog } from "../../../../hosts/release/keys/audit-entry.ts";
import { isSignatureBy, type Signer } from "../../../../hosts/release/keys/signer.ts";
import { addKey, removeKey } from "../../../../hosts/release/trust/changes.ts";
import { fileOf, type TrustDocument } from "../../../../hosts/release/trust/document.ts";
import { addRelease, removeRelease } from "../../../../hosts/release/trust/releases.ts";
import { fileNameOf, type TrustRepository } from "../../../../hosts/release/trust/repository.ts";
import { parseVersion } from "../../../../src/image/version.ts";
import { directorPayload, parseDirectorSigned } from "../../../../src/trust/director-document.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import {
  metadataSigner,
  signAll,
  signedImage,
  signedRepository,
  trustKeys,
} from "../../../support/trust-repository.ts";
import { TestFleet } from "../test-fleet.ts";

const nowUnixMs = 1_800_000_000_000;
const hour = 3_600_000;
const day = 24 * hour;
const [online] = trustKeys.online;
const release = { version: "1.1.0", hardware: "esp32c3-b" };

/** A fleet with its folder, and a release machine with one release. */
async function places(context: TestContext, onlineSigner: Signer | null = online) {
  const folder = mkdtempSync(join(tmpdir(), "sluice-trust-"));
  const fleet = await TestFleet.open(context, { trust: { folder, onlineSigner } });
  // After the server, which writes its log at the end.
  context.after(() => rmSync(folder, { recursive: true }));
  const repository = await signedRepository(temporaryFolder(context), nowUnixMs, [release]);
  return { folder, fleet, repository };
}

function documentsOf(repository: TrustRepository): Record<string, string> {
  const roles = ["targets", ...repository.delegatedRoles];
  const current = roles.map((role) => repository.current(role)).filter((one) => one !== null);
  const all: readonly TrustDocument[] = [...repository.roots, ...current];
  return Object.fromEntries(all.map((one) => [fileNameOf(one), fileOf(one).toString()]));
}

const post = (fleet: TestFleet, documents: Record<string, string>) =>
  fleet.inject({ method: "POST", url: "/api/v1/trust/metadata", payload: { documents } });

/** Sends the files that the server asks for, then the metadata. */
async function publish(fleet: TestFleet, repository: TrustRepository): Promise<void> {
  const documents = documentsOf(repository);
  const first = await post(fleet, documents);
  if (first.statusCode === 200) return;
  assert.equal(first.json().error, "targets-missing", first.body);
  for (const { name, sha256 } of first.json().missing) {
    const sent = await fleet.inject({
      method: "POST",
      url: `/api/v1/trust/targets?sha256=${sha256}`,
      headers: { "content-type": "application/octet-stream" },
      payload: repository.target(name, sha256) ?? Buffer.alloc(0),
    });
    assert.equal(sent.statusCode, 204, sent.body);
  }
  const second = await post(fleet, documents);
  assert.equal(second.statusCode, 200, second.body);
}

const get = (fleet: TestFleet, file: string, headers: Record<string, string> = {}) =>
  fleet.inject({ method: "GET", url: `/DEFAULT/tuf/${file}`, headers: { host: "x", ...headers } });

test("serves what the offline keys signed, and signs snapshot and timestamp over it", async (context) => {
  const { fleet, repository } = await places(context);
  assert.equal((await get(fleet, "timestamp.json")).statusCode, 404);
  await publish(fleet, repository);
  const root = await get(fleet, "1.root.json");
  assert.deepEqual(root.rawPayload, fileOf(repository.roots[0] ?? assert.fail()));
  assert.match(String(root.headers["cache-control"]), /immutable/);
  assert.match(String((await get(fleet, "1.snapshot.json")).headers["cache-control"]), /immutable/);
  const timestamp = await get(fleet, "timestamp.json");
  assert.equal(timestamp.headers["cache-control"], "no-cache");
  const etag = String(timestamp.headers["etag"]);
  assert.equal((await get(fleet, "timestamp.json", { "if-none-match": etag })).statusCode, 304);
  for (const file of ["2.root.json", "root.json", "snapshot.json", "../fleet.sqlite", "9.x.json"])
    assert.equal((await get(fleet, file)).statusCode, 404, file);
  const elsewhere = await fleet.inject({ method: "GET", url: "/OTHER/tuf/1.root.json" });
  assert.equal(elsewhere.statusCode, 404);
});

test("serves targets under their hashes, with ranges, and no other file", async (context) => {
  const { fleet, repository } = await places(context);
  await publish(fleet, repository);
  const image = await signedImage(release.version, release.hardware);
  const hash = createHash("sha256").update(image).digest("hex");
  const file = `targets/esp32c3-b/${hash}.1.1.0.img`;
  const whole = await get(fleet, file);
  assert.deepEqual(new Uint8Array(whole.rawPayload), image);
  assert.match(String(whole.headers["cache-control"]), /immutable/);
  const part = await get(fleet, file, { range: "bytes=100-199" });
  assert.equal(part.statusCode, 206);
  assert.deepEqual(new Uint8Array(part.rawPayload), image.subarray(100, 200));
  assert.equal((await get(fleet, `targets/esp32c3-b/${hash}.1.2.0.img`)).statusCode, 404);
  assert.equal((await get(fleet, `targets/${hash}`)).statusCode, 404);
});

test("takes nothing that devices would refuse, and all of it or nothing", async (context) => {
  const { fleet, repository } = await places(context);
  const good = documentsOf(repository);
  const root = JSON.parse(good["1.root.json"] ?? "");
  const cases: ReadonlyArray<readonly [Record<string, string>, string]> = [
    [{ ...good, "1.root.json": "{}" }, "malformed"],
    [
      {
        ...good,
        "timestamp.json": fileOf(repository.current("timestamp") ?? assert.fail()).toString(),
      },
      "malformed",
    ],
    [{ ...good, "2.targets.json": good["1.evidence.json"] ?? "" }, "malformed"],
    [
      {
        ...good,
        "1.root.json": JSON.stringify({ ...root, signatures: root.signatures.slice(1, 2) }),
      },
      "untrusted",
    ],
    [
      {
        ...good,
        "1.esp32c3-b.json": (good["1.esp32c3-b.json"] ?? "").replace(
          "esp32c3-b/1.1.0",
          "esp32c3-b/1.1.1",
        ),
      },
      "untrusted",
    ],
  ];
  for (const [documents, reason] of cases) {
    const refused = await post(fleet, documents);
    assert.equal(refused.statusCode, 422, refused.body);
    assert.equal(refused.json().error, reason, refused.body);
    assert.equal((await get(fleet, "1.root.json")).statusCode, 404);
  }
});

test("answers every malformed document with a reason, never with a failure of its own", async (context) => {
  const { fleet, repository } = await places(context);
  const good = documentsOf(repository);
  const targets = JSON.parse(good["2.targets.json"] ?? "");
  const role = JSON.parse(good["1.esp32c3-b.json"] ?? "");
  const [target] = Object.values(role.signed.targets) as object[];
  const { delegations } = targets.signed;
  const signedAs = (name: string, document: object, change: object) => ({
    ...good,
    [name]: JSON.stringify({ ...document, signed: { ...role.signed, ...change } }),
  });
  const inTargets = (change: object) => ({
    ...good,
    "2.targets.json": JSON.stringify({ ...targets, signed: { ...targets.signed, ...change } }),
  });
  const hostile: readonly Record<string, string>[] = [
    { "1.root.json": "" },
    { "1.root.json": "null" },
    { "1.root.json": "[]" },
    { "1.root.json": '{"signed":{},"signatures":[]}' },
    { "1.root.json": '{"signed":{"_type":"root"},"signatures":{}}' },
    { "0.root.json": good["1.root.json"] ?? "" },
    { "1.__proto__.json": good["1.esp32c3-b.json"] ?? "" },
    { "../1.root.json": good["1.root.json"] ?? "" },
    inTargets({
      delegations: {
        ...delegations,
        roles: undefined,
        succinct_roles: { keyids: [], threshold: 1, bit_length: 8, name_prefix: "x" },
      },
    }),
    inTargets({
      delegations: { ...delegations, roles: [{ ...delegations.roles[0], name: "../../etc" }] },
    }),
    inTargets({
      delegations: { ...delegations, roles: [{ ...delegations.roles[0], name: "root" }] },
    }),
    inTargets({ delegations: { keys: null, roles: null } }),
    inTargets({ version: 2.5 }),
    inTargets({ expires: "soon" }),
    signedAs("1.esp32c3-b.json", role, { targets: { "../../etc/passwd": target } }),
    signedAs("1.esp32c3-b.json", role, { targets: { "a/b.img": { length: 1, hashes: {} } } }),
    signedAs("1.esp32c3-b.json", role, {
      targets: { "a/b.img": { length: 1, hashes: { sha256: "zz" } } },
    }),
    signedAs("1.esp32c3-b.json", role, { targets: { "a/b.img": null } }),
    signedAs(
      "1.esp32c3-b.json",
      {
        signatures: [
          { keyid: "a", sig: "b" },
          { keyid: "a", sig: "c" },
        ],
      },
      {},
    ),
    signedAs("1.esp32c3-b.json", { signatures: null }, {}),
  ];
  for (const documents of hostile) {
    const answer = await post(fleet, documents);
    assert.equal(
      answer.statusCode,
      422,
      `${answer.body} to ${JSON.stringify(documents).slice(0, 300)}`,
    );
    assert.match(answer.json().error, /^(malformed|untrusted)$/);
  }
  for (const body of [
    {},
    { documents: [] },
    { documents: { "1.root.json": 1 } },
    { documents: good, lifeDays: { timestamp: 0 } },
  ]) {
    const answer = await fleet.inject({
      method: "POST",
      url: "/api/v1/trust/metadata",
      payload: body,
    });
    assert.equal(answer.statusCode, 400, JSON.stringify(body).slice(0, 100));
  }
  assert.equal((await get(fleet, "1.root.json")).statusCode, 404);
});

test("never goes back to older metadata, nor changes a version that was served", async (context) => {
  const { fleet, repository } = await places(context);
  const before = documentsOf(repository);
  await publish(fleet, repository);
  const images = [await signedImage("1.2.0", release.hardware)];
  assert.ok(addRelease(repository, { images, evidence: [], energy: null, now: nowUnixMs }).ok);
  await signAll(repository);
  await publish(fleet, repository);
  // Published documents sent once more change nothing: they are known.
  assert.equal((await post(fleet, before)).statusCode, 200);
  assert.equal((await get(fleet, "2.esp32c3-b.json")).statusCode, 200);
  const timestamp = JSON.parse((await get(fleet, "timestamp.json")).body);
  assert.equal(timestamp.signed.meta["snapshot.json"].version, 2);
  const name = "2.esp32c3-b.json";
  const changed = JSON.parse(documentsOf(repository)[name] ?? "");
  const refused = await post(fleet, {
    [name]: JSON.stringify({ ...changed, signed: { ...changed.signed, targets: {} } }),
  });
  assert.equal(refused.json().error, "rollback");
});

test("signs a timestamp anew at half of its life, and goes on after a restart", async (context) => {
  const { folder, fleet, repository } = await places(context);
  await publish(fleet, repository);
  const versionOf = async (server: TestFleet) =>
    JSON.parse((await get(server, "timestamp.json")).body).signed.version;
  fleet.nowUnixMs += 11 * hour;
  await fleet.server.tick();
  assert.equal(await versionOf(fleet), 1);
  fleet.nowUnixMs += 2 * hour;
  await fleet.server.tick();
  assert.equal(await versionOf(fleet), 2);
  await fleet.server.close();
  const again = await TestFleet.open(context, { trust: { folder, onlineSigner: online } });
  again.nowUnixMs = fleet.nowUnixMs + 13 * hour;
  await again.server.tick();
  assert.equal(await versionOf(again), 3);
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
    /^sluice_trust_ready 1$/m,
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

const nonce = "00112233445566778899aabbccddeeff";

async function directorOf(fleet: TestFleet, device: Awaited<ReturnType<TestFleet["addDevice"]>>) {
  const answer = await device.request("GET", `director?nonce=${nonce}`);
  assert.equal(answer.statusCode, 200, answer.body);
  assert.equal(answer.headers["cache-control"], "no-store");
  const { signed, signatures } = JSON.parse(answer.body);
  const parsed = parseDirectorSigned(signed);
  assert.ok(parsed.ok);
  const digest = createHash("sha256").update(directorPayload(parsed.value)).digest();
  const [{ keyid, sig }] = signatures;
  assert.equal(keyid, online.keyId);
  assert.ok(isSignatureBy(online.publicKey, digest, Buffer.from(sig, "hex")));
  assert.equal(parsed.value.timeUnixMs, fleet.nowUnixMs);
  return parsed.value;
}

test("the director assigns what is offered and signed, to this device, for this nonce", async (context) => {
  const { folder, fleet, repository } = await places(context);
  await publish(fleet, repository);
  const image = await signedImage(release.version, release.hardware);
  assert.equal((await fleet.publishBytes(image)).statusCode, 201);
  const device = await fleet.addDevice("device-1");
  device.runs("1.0.0", "aa".repeat(32));
  await device.poll();
  assert.equal((await directorOf(fleet, device)).assignment, null);
  const rollout = await fleet.api("POST", "/rollouts", {
    name: "r",
    releaseVersion: release.version,
    stages: [{ percent: 100, soakSeconds: 0 }],
  });
  await fleet.api("POST", `/rollouts/${rollout.id}/start`);
  assert.notEqual(await device.offered(), null);
  fleet.nowUnixMs += 1000;
  const first = await directorOf(fleet, device);
  assert.deepEqual(first.assignment, {
    targetName: "esp32c3-b/1.1.0.img",
    lengthBytes: image.length,
    sha256: createHash("sha256").update(image).digest("hex"),
    releaseCounter: 1,
  });
  const { deviceId, hardware, expiresUnixMs } = first;
  assert.deepEqual(
    [deviceId, hardware, first.nonce, expiresUnixMs - fleet.nowUnixMs],
    ["device-1", "esp32c3-b", nonce, hour],
  );
  fleet.nowUnixMs += 5000;
  assert.ok((await directorOf(fleet, device)).version > first.version);
  // What the offline keys take out is assigned no more, whatever a rollout says.
  const version = parseVersion(release.version) ?? assert.fail();
  assert.ok(removeRelease(repository, { version, hardware: null, now: nowUnixMs }).ok);
  await signAll(repository);
  await publish(fleet, repository);
  assert.equal((await directorOf(fleet, device)).assignment, null);
  await directorOf(fleet, device);
  await fleet.server.tick();
  const { items } = await fleet.api("GET", "/events?limit=500");
  const told = items.filter(({ kind }: { kind: string }) => kind === "trust-warning");
  assert.equal(told.length, 1, "once, however often devices ask");
  assert.match(told[0].details.text, /release 1\.1\.0 is offered to esp32c3-b, but is not among/);
  const log = readFileSync(join(folder, "audit.jsonl"), "utf8");
  const verdict = verifyAuditLog(log, new Set([online.keyId]));
  assert.ok(verdict.ok);
  const uses = verdict.entries.flatMap((entry) => entry.uses.map(({ purpose }) => purpose));
  assert.equal(uses.filter((purpose) => purpose === "director document for device-1").length, 5);
  assert.ok(uses.includes("timestamp version 1"));
});

test("the director answers no device without its token, no bad nonce, and none without hardware", async (context) => {
  const { fleet, repository } = await places(context);
  await publish(fleet, repository);
  const device = await fleet.addDevice("device-1");
  const path = `director?nonce=${nonce}`;
  const stranger = await device.request("GET", path, {
    headers: { authorization: "TargetToken x" },
  });
  assert.equal(stranger.statusCode, 401);
  for (const bad of ["", "00", nonce.toUpperCase(), `${nonce}0`, "x".repeat(32)])
    assert.equal((await device.request("GET", `director?nonce=${bad}`)).statusCode, 400, bad);
  assert.equal((await device.request("GET", "director")).statusCode, 400);
  assert.equal((await device.request("POST", path, { body: {} })).statusCode, 405);
  const gateway = { authorization: "GatewayToken gateway-token" };
  const url = `/DEFAULT/controller/v1/device-2/director?nonce=${nonce}`;
  const unknown = await fleet.inject({ method: "GET", url, headers: { host: "x", ...gateway } });
  assert.equal(unknown.statusCode, 404);
});

test("a folder with something else ends the start with its name", async (context) => {
  const folder = temporaryFolder(context);
  const repository = await signedRepository(folder, nowUnixMs);
  writeFileSync(join(repository.folder, "metadata", "1.root.json"), "hello");
  await assert.rejects(TestFleet.open(context, { trust: { folder, onlineSigner: null } }), {
    name: "FleetOptionError",
    message: /1\.root\.json is no metadata of ours/,
  });
});

test("a file that is not what its hash says is not stored", async (context) => {
  const { fleet } = await places(context);
  const refused = await fleet.inject({
    method: "POST",
    url: `/api/v1/trust/targets?sha256=${"0".repeat(64)}`,
    headers: { "content-type": "application/octet-stream" },
    payload: Buffer.from("hello"),
  });
  assert.equal(refused.statusCode, 422);
  assert.equal(refused.json().error, "hash-mismatch");
});
