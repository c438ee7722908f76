import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeConfiguration, sealConfiguration } from "../../../../hosts/release/configuration.ts";
import { parseDeployment } from "../../../../src/protocol/ddi.ts";
import type { JsonObject } from "../../../../src/protocol/json.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { testSigner } from "../../../support/image-signer.ts";
import { imageSigner, type TestDevice, TestFleet } from "../test-fleet.ts";

const oldHash = "0a".repeat(32);
const stages = [{ percent: 100, soakSeconds: 60 }];

async function sealed(document: JsonObject, signer = imageSigner): Promise<Uint8Array> {
  const made = makeConfiguration({ schema: 1, values: { reportSeconds: 60 }, ...document }, {});
  assert.ok(made.ok, JSON.stringify(made));
  const signed = await sealConfiguration(made.document, signer);
  assert.ok(signed.ok);
  return signed.envelope;
}

function publishBytes(fleet: TestFleet, bytes: Uint8Array) {
  return fleet.inject({
    method: "POST",
    url: "/api/v1/configurations",
    headers: { "content-type": "application/octet-stream" },
    payload: Buffer.from(bytes),
  });
}

async function publish(fleet: TestFleet, version: number): Promise<Uint8Array> {
  const envelope = await sealed({ version });
  const answer = await publishBytes(fleet, envelope);
  assert.equal(answer.statusCode, 201, answer.body);
  return envelope;
}

function rollout(fleet: TestFleet, configurationVersion: number, definition: object = {}) {
  const wanted = { name: "c", configurationVersion, stages, start: true, ...definition };
  return fleet.inject({ method: "POST", url: "/api/v1/rollouts", payload: wanted });
}

async function fleetOf(context: TestContext, count: number) {
  const fleet = await TestFleet.open(context);
  const devices = await fleet.addDevices(count);
  for (const device of devices) {
    device.runs("1.0.0", oldHash);
    await device.poll();
  }
  return { fleet, devices };
}

async function tells(device: TestDevice, configuration: string): Promise<void> {
  const body = { mode: "merge", data: { configuration } };
  const answer = await device.request("PUT", "configData", { body });
  assert.equal(answer.statusCode, 200);
}

async function stateOf(fleet: TestFleet, rolloutId: number, device: TestDevice): Promise<string> {
  const { items } = await fleet.api("GET", `/rollouts/${rolloutId}/devices`);
  return items.find(({ deviceId }: { deviceId: string }) => deviceId === device.id)?.state;
}

test("a device reads a deployment of its own kind, and gets the signed bytes", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const envelope = await publish(fleet, 12);
  assert.equal((await rollout(fleet, 12)).statusCode, 201);
  const [device] = devices;
  assert.ok(device);
  const { deploymentBase } = await device.poll();
  const body = await device.request("GET", deploymentBase ?? "");
  const parsed = parseDeployment(body.rawPayload);
  assert.ok(parsed.ok && parsed.offer.kind === "configuration", body.body);
  const { configurationVersion, fileBytes, url, version, approved, retry } = parsed.offer;
  assert.deepEqual([configurationVersion, version, approved, retry], [12, "12", false, false]);
  assert.equal(fileBytes, envelope.length);
  const file = await device.request("GET", new URL(url).pathname);
  assert.deepEqual(new Uint8Array(file.rawPayload), envelope);
  const part = body.json().deployment.chunks[0];
  assert.deepEqual([part.part, part.name, part.metadata], ["configuration", "configuration", []]);
});

test("a device is done once it closed with success and tells the version, in either order", async (t) => {
  const { fleet, devices } = await fleetOf(t, 2);
  await publish(fleet, 12);
  await rollout(fleet, 12);
  const [first, second] = devices;
  assert.ok(first && second);
  const actionId = await first.offered();
  await first.feedback(actionId ?? 0, "closed", "success", []);
  assert.equal(await stateOf(fleet, 1, first), "reported");
  assert.notEqual((await first.poll())["configData"], undefined, "the server asks for it");
  await tells(first, "11");
  assert.equal(await stateOf(fleet, 1, first), "reported");
  await tells(first, "12");
  assert.equal(await stateOf(fleet, 1, first), "updated");

  const other = await second.offered();
  await tells(second, "12");
  assert.notEqual(await stateOf(fleet, 1, second), "updated");
  await second.feedback(other ?? 0, "closed", "success", []);
  assert.equal(await stateOf(fleet, 1, second), "updated");
  const shown = await fleet.api("GET", `/devices/${second.id}`);
  assert.deepEqual([shown.configurationVersion, shown.state], [12, "updated"]);
  await fleet.wait(60);
  assert.equal((await fleet.api("GET", "/rollouts/1")).state, "finished");
});

for (const text of ["", "12.0", "012", "x", "1e1", "-12"])
  test(`a device that tells the version as "${text}" tells none`, async (t) => {
    const { fleet, devices } = await fleetOf(t, 1);
    const [device] = devices;
    assert.ok(device);
    await tells(device, "12");
    await tells(device, text);
    assert.equal((await fleet.api("GET", `/devices/${device.id}`)).configurationVersion, null);
  });

test("a configuration that a device goes back from halts the rollout, and is refused", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const [device] = devices;
  assert.ok(device);
  await publish(fleet, 12);
  await rollout(fleet, 12);
  const actionId = await device.offered();
  const details = ["state=rolledBack", "reason=health-check"];
  await device.feedback(actionId ?? 0, "closed", "failure", details);
  assert.equal(await stateOf(fleet, 1, device), "rolled-back");
  const shown = await fleet.api("GET", "/rollouts/1");
  assert.deepEqual([shown.state, shown.releaseVersion], ["halted", "configuration-12"]);
  const refused = await rollout(fleet, 12);
  assert.match(refused.json().message, /1 rolled-back-before/);
});

test("a device that leaves its configuration again went back; a newer one is no way back", async (t) => {
  const { fleet, devices } = await fleetOf(t, 2);
  await publish(fleet, 12);
  await rollout(fleet, 12, { haltThreshold: { rolledBackShare: 1 } });
  for (const device of devices) {
    const actionId = await device.offered();
    await device.feedback(actionId ?? 0, "closed", "success", []);
    await tells(device, "12");
  }
  const [back, on] = devices;
  assert.ok(back && on);
  await tells(back, "11");
  await tells(on, "13");
  assert.deepEqual(
    [await stateOf(fleet, 1, back), await stateOf(fleet, 1, on)],
    ["rolled-back", "updated"],
  );
});

test("success that is never proven becomes unproven", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const [device] = devices;
  assert.ok(device);
  await publish(fleet, 12);
  await rollout(fleet, 12, { proofSeconds: 100 });
  const actionId = await device.offered();
  await device.feedback(actionId ?? 0, "closed", "success", []);
  await fleet.wait(100);
  assert.equal(await stateOf(fleet, 1, device), "unproven");
});

test("only devices with an older configuration are offered one, whatever their firmware", async (t) => {
  const { fleet, devices } = await fleetOf(t, 4);
  const [fresh, older, same, newer] = devices;
  assert.ok(fresh && older && same && newer);
  await fleet.addDevice("other", "esp32c6-a");
  await tells(older, "3");
  await tells(same, "12");
  await tells(newer, "13");
  await publish(fleet, 12);
  const created = await rollout(fleet, 12);
  assert.equal(created.json().eligible, 3);
  for (const device of [fresh, older]) assert.notEqual(await device.offered(), null);
  for (const device of [same, newer]) assert.equal(await device.offered(), null);
});

test("firmware and configuration go to a device one after the other", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const [device] = devices;
  assert.ok(device);
  await publish(fleet, 12);
  await rollout(fleet, 12);
  const first = await device.offered();
  const imageHash = await fleet.publish({ version: "1.1.0" });
  await fleet.api("POST", "/rollouts", { name: "f", releaseVersion: "1.1.0", stages, start: true });
  assert.equal(await device.offered(), first, "what has begun comes first");
  await device.feedback(first ?? 0, "closed", "success", []);
  await tells(device, "12");
  await device.updates("1.1.0", imageHash);
  assert.deepEqual(
    [await stateOf(fleet, 1, device), await stateOf(fleet, 2, device)],
    ["updated", "updated"],
  );
});

test("an image that waits gives way to a configuration and comes again; one under way does not", async (t) => {
  const { fleet, devices } = await fleetOf(t, 2);
  const [waits, works] = devices;
  assert.ok(waits && works);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  await fleet.api("POST", "/rollouts", { name: "f", releaseVersion: "1.1.0", stages, start: true });
  const deferred = await waits.offered();
  const details = ["state=deferred", "reason=window-closed"];
  await waits.feedback(deferred ?? 0, "scheduled", "none", details);
  const working = await works.offered();
  await works.feedback(working ?? 0, "download", "none", ["state=downloading"]);
  await publish(fleet, 12);
  await rollout(fleet, 12);
  assert.equal(await works.offered(), working);
  const actionId = await waits.offered();
  assert.notEqual(actionId, deferred);
  assert.equal(await stateOf(fleet, 1, waits), "withdrawn");
  assert.equal(await waits.feedback(deferred ?? 0, "proceeding", "none", []), 410);
  await waits.feedback(actionId ?? 0, "closed", "success", []);
  await tells(waits, "12");
  await waits.updates("1.1.0", imageHash);
  assert.deepEqual(
    [await stateOf(fleet, 1, waits), await stateOf(fleet, 2, waits)],
    ["updated", "updated"],
  );
});

test("a published configuration never changes, and is no release of firmware", async (t) => {
  const { fleet } = await fleetOf(t, 1);
  const envelope = await publish(fleet, 12);
  const again = await publishBytes(fleet, envelope);
  assert.deepEqual([again.statusCode, again.json().created], [200, false]);
  const other = await publishBytes(fleet, await sealed({ version: 12, values: { a: 1 } }));
  assert.deepEqual([other.statusCode, other.json().error], [409, "version-taken"]);
  assert.deepEqual((await fleet.api("GET", "/releases")).items, []);
  const { items } = await fleet.api("GET", "/configurations");
  assert.deepEqual(
    items.map(({ version }: { version: number }) => version),
    [12],
  );
  assert.equal((await fleet.api("GET", "/configurations/12")).sizeBytes, envelope.length);
  for (const path of ["/configurations/13", "/configurations/x", "/releases/configuration-12"]) {
    const answer = await fleet.inject({ method: "GET", url: `/api/v1${path}` });
    assert.equal(answer.statusCode, 404, path);
  }
});

test("rollouts of configurations survive a restart", async (t) => {
  const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
  const fleet = await TestFleet.open(t, { databaseFile });
  const device = await fleet.addDevice("lamp");
  await publish(fleet, 12);
  await rollout(fleet, 12);
  await fleet.server.close();
  const again = await TestFleet.open(t, { databaseFile });
  const { deploymentBase } = await device.on(again).poll();
  assert.match(deploymentBase ?? "", /deploymentBase\/1\?/);
  assert.equal((await again.api("GET", "/rollouts/1")).configurationVersion, 12);
});

interface Refusal {
  readonly name: string;
  bytes(): Promise<Uint8Array>;
  readonly status: number;
  readonly error: string;
}

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** A document that `sluice config sign` would not sign, signed all the same. */
async function signedAnyway(document: string): Promise<Uint8Array> {
  const signed = await sealConfiguration(text(document), imageSigner);
  assert.ok(signed.ok);
  return signed.envelope;
}

const refusals: readonly Refusal[] = [
  { name: "nothing", bytes: async () => text(""), status: 422, error: "malformed-envelope" },
  {
    name: "a document without an envelope",
    bytes: async () => text('{"version":1,"schema":1}'),
    status: 422,
    error: "malformed-envelope",
  },
  {
    name: "the signature of a stranger",
    bytes: () => sealed({ version: 1 }, testSigner(8)),
    status: 422,
    error: "signature-invalid",
  },
  {
    name: "a byte that was changed",
    bytes: async () => (await sealed({ version: 1 })).fill(0x20, 6, 7),
    status: 422,
    error: "signature-invalid",
  },
  {
    name: "more than a device takes",
    bytes: () => signedAnyway(`{"version":1,"schema":1,"x":"${"x".repeat(4096)}"}`),
    status: 413,
    error: "too-large",
  },
  {
    name: "a document without a version",
    bytes: () => signedAnyway('{"schema":1}'),
    status: 422,
    error: "malformed-document",
  },
  {
    name: "windows that no device can read",
    bytes: () => signedAnyway('{"version":1,"schema":1,"values":{"windows":{"timeZone":"MEZ"}}}'),
    status: 422,
    error: "windows-invalid",
  },
];

for (const { name, bytes, status, error } of refusals)
  test(`refuses ${name}: ${error}`, async (t) => {
    const fleet = await TestFleet.open(t);
    const answer = await publishBytes(fleet, await bytes());
    assert.deepEqual([answer.statusCode, answer.json().error], [status, error], answer.body);
    assert.ok(answer.json().message.length > 20);
  });

test("takes configurations by the keys for them alone, where there are some", async (t) => {
  const { publicKeyPem } = await import("../test-fleet.ts");
  const own = testSigner(9);
  const fleet = await TestFleet.open(t, { configurationKeys: [publicKeyPem(own)] });
  assert.equal((await publishBytes(fleet, await sealed({ version: 1 }))).statusCode, 422);
  assert.equal((await publishBytes(fleet, await sealed({ version: 1 }, own))).statusCode, 201);
  const without = await TestFleet.open(t, { imageKeys: [] });
  const answer = await publishBytes(without, await sealed({ version: 1 }));
  assert.deepEqual([answer.statusCode, answer.json().error], [409, "no-configuration-keys"]);
});

for (const [name, subject, status, error] of [
  ["neither a release nor a configuration", {}, 400, "invalid-request"],
  ["both", { releaseVersion: "1.1.0", configurationVersion: 12 }, 400, "invalid-request"],
  ["a configuration that there is not", { configurationVersion: 13 }, 404, "unknown-release"],
  ["a version below 1", { configurationVersion: 0 }, 400, "invalid-request"],
] as const)
  test(`plans no rollout of ${name}`, async (t) => {
    const { fleet } = await fleetOf(t, 1);
    const payload = { name: "c", ...subject };
    const answer = await fleet.inject({ method: "POST", url: "/api/v1/rollouts", payload });
    assert.deepEqual([answer.statusCode, answer.json().error], [status, error]);
  });

test("the preview of a configuration agrees with its rollout", async (t) => {
  const { fleet, devices } = await fleetOf(t, 3);
  const envelope = await publish(fleet, 4);
  const [first] = devices;
  assert.ok(first);
  await tells(first, "4");
  const told = await fleet.api("POST", "/rollouts/preview", { configurationVersion: 4, stages });
  assert.deepEqual([told.devices, told.problems], [2, []]);
  assert.deepEqual(told.left, [{ reason: "already-running", devices: 1, examples: [first.id] }]);
  assert.equal(told.bytes, 2 * envelope.length);
  const made = await rollout(fleet, 4);
  assert.deepEqual([made.statusCode, made.json().eligible], [201, 2], made.body);
});
