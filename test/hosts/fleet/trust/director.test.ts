import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { verifyAuditLog } from "../../../../hosts/release/keys/audit-entry.ts";
import { removeRelease } from "../../../../hosts/release/trust/releases.ts";
import { parseVersion } from "../../../../src/image/version.ts";
import { signAll, signedImage } from "../../../support/trust-repository.ts";
import {
  directorOf,
  hour,
  nonce,
  nowUnixMs,
  online,
  places,
  publish,
  release,
} from "./trust-scene.ts";

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
  assert.ok(uses.includes(`timestamp version ${nowUnixMs / 1000}`));
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

test("a device that is removed and comes back is told no less than before", async (context) => {
  const { fleet, repository } = await places(context);
  await publish(fleet, repository);
  const device = await fleet.addDevice("device-1");
  await fleet.step(30 * 86_400);
  const far = fleet.nowUnixMs;
  const before = await directorOf(fleet, device);
  await fleet.step(-30 * 86_400);
  await fleet.api("DELETE", "/devices/device-1");
  const answer = await directorOf(fleet, await fleet.addDevice("device-1"), far);
  assert.ok(answer.version > before.version);
});
