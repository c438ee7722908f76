import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileOf } from "../../../../hosts/release/trust/document.ts";
import { addRelease } from "../../../../hosts/release/trust/releases.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { signAll, signedImage, signedRepository } from "../../../support/trust-repository.ts";
import { TestFleet } from "../test-fleet.ts";

import { documentsOf, get, nowUnixMs, places, post, publish, release } from "./trust-scene.ts";

test("serves what the offline keys signed, and signs snapshot and timestamp over it", async (context) => {
  const { fleet, repository } = await places(context);
  assert.equal((await get(fleet, "timestamp.json")).statusCode, 404);
  await publish(fleet, repository);
  const root = await get(fleet, "1.root.json");
  assert.deepEqual(root.rawPayload, fileOf(repository.roots[0] ?? assert.fail()));
  assert.match(String(root.headers["cache-control"]), /immutable/);
  assert.match(
    String((await get(fleet, `${nowUnixMs / 1000}.snapshot.json`)).headers["cache-control"]),
    /immutable/,
  );
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
  assert.equal(timestamp.signed.meta["snapshot.json"].version, nowUnixMs / 1000 + 1);
  const name = "2.esp32c3-b.json";
  const changed = JSON.parse(documentsOf(repository)[name] ?? "");
  const refused = await post(fleet, {
    [name]: JSON.stringify({ ...changed, signed: { ...changed.signed, targets: {} } }),
  });
  assert.equal(refused.json().error, "rollback");
});

test("a folder with something else ends the start with its name", async (context) => {
  const folder = temporaryFolder(context);
  const repository = await signedRepository(folder, nowUnixMs);
  writeFileSync(join(repository.folder, "metadata", "1.root.json"), "hello");
  await assert.rejects(TestFleet.open(context, { trust: { folder, onlineSigner: null } }), {
    name: "DatabaseRefusedError",
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
