import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { FleetOptions } from "../../../../hosts/fleet/options.ts";
import { parseDeployment } from "../../../../src/protocol/ddi.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { type ImageWishes, type TestDevice, TestFleet } from "../test-fleet.ts";

const oldHash = "0a".repeat(32);
const old = { version: "1.0.0", imageHash: oldHash };
const stages = [{ percent: 100, soakSeconds: 60 }];

async function fleetOf(context: TestContext, count: number, options: Partial<FleetOptions> = {}) {
  const fleet = await TestFleet.open(context, options);
  const devices = await fleet.addDevices(count);
  for (const device of devices) {
    device.runs(old.version, oldHash);
    await device.poll();
  }
  return { fleet, devices };
}

async function rollout(fleet: TestFleet, releaseVersion: string, definition: object = {}) {
  const wanted = { name: "r", releaseVersion, stages, start: true, ...definition };
  return fleet.inject({ method: "POST", url: "/api/v1/rollouts", payload: wanted });
}

/** What the device reads in the deployment that it is offered. */
async function termsOf(device: TestDevice) {
  const { deploymentBase } = await device.poll();
  assert.ok(deploymentBase !== undefined, `${device.id} is offered nothing`);
  const answer = await device.request("GET", deploymentBase);
  const parsed = parseDeployment(answer.rawPayload);
  assert.ok(parsed.ok, answer.body);
  const { approved, retry, forced } = parsed.offer;
  return { approved, retry, forced };
}

for (const [name, wishes] of [
  ["another major version", { version: "2.0.0" }],
  ["a breaking minor version", { version: "1.1.0", release: { breaking: true } }],
] as ReadonlyArray<readonly [string, ImageWishes]>)
  test(`${name} goes to nobody until it is approved, and then says so`, async (t) => {
    const { fleet, devices } = await fleetOf(t, 1);
    await fleet.publish(wishes);
    const refused = await rollout(fleet, wishes.version);
    assert.equal(refused.statusCode, 409);
    assert.match(refused.json().message, /1 needs-approval.*approve it/);
    assert.equal((await rollout(fleet, wishes.version, { approved: true })).statusCode, 201);
    const [device] = devices;
    assert.ok(device);
    assert.deepEqual(await termsOf(device), { approved: true, retry: false, forced: true });
  });

test("a release that needs no approval does not claim one", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  await fleet.publish({ version: "1.1.0" });
  assert.equal((await rollout(fleet, "1.1.0", { mode: "soft" })).statusCode, 201);
  const [device] = devices;
  assert.ok(device);
  assert.deepEqual(await termsOf(device), { approved: false, retry: false, forced: false });
});

test("a device joins the rollout once it runs the stepping stone", async (t) => {
  const { fleet, devices } = await fleetOf(t, 2);
  const [first, second] = devices;
  assert.ok(first && second);
  const stone = { major: 1, minor: 1, revision: 0, build: 0 };
  await fleet.publish({ version: "1.2.0", release: { steppingStone: stone } });
  first.runs("1.1.0", "0b".repeat(32));
  await first.poll();
  const created = await rollout(fleet, "1.2.0", { leaveBehind: true });
  assert.deepEqual([created.statusCode, created.json().eligible], [201, 1]);
  assert.notEqual(await first.offered(), null);
  assert.equal(await second.offered(), null);
  second.runs("1.1.0", "0b".repeat(32));
  assert.notEqual(await second.offered(), null);
});

test("an image goes to the other hardware that it names, unless that has an image of its own", async (t) => {
  const fleet = await TestFleet.open(t);
  const [own, other, third] = [
    await fleet.addDevice("own", "esp32c3-b"),
    await fleet.addDevice("other", "esp32c3-a"),
    await fleet.addDevice("third", "esp32c6-a"),
  ];
  const shared = await fleet.publish({
    version: "1.1.0",
    release: { hardware: ["esp32c3-b", "esp32c3-a", "esp32c6-a"] },
  });
  const special = await fleet.publish({ version: "1.1.0", hardware: "esp32c6-a" });
  assert.equal((await rollout(fleet, "1.1.0")).statusCode, 201);
  for (const [device, imageHash] of [
    [own, shared],
    [other, shared],
    [third, special],
  ] as const)
    await device.updates("1.1.0", imageHash);
  const { items } = await fleet.api("GET", "/rollouts/1/devices");
  assert.deepEqual(
    items.map(({ state }: { state: string }) => state),
    ["updated", "updated", "updated"],
  );
});

test("a cleared device is offered the release again and told to take it, once", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const [device] = devices;
  assert.ok(device);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  await rollout(fleet, "1.1.0", { haltThreshold: { rolledBackShare: 1 } });
  const release = { version: "1.1.0", imageHash };
  await device.rollsBack(release, old);
  assert.equal(await device.offered(), null);
  await fleet.api("DELETE", `/devices/${device.id}/refusals/1.1.0`);
  assert.deepEqual(await termsOf(device), { approved: false, retry: true, forced: true });
  await device.rollsBack(release, old);
  assert.equal(await device.offered(), null, "it is refused until it is cleared once more");
  await fleet.api("DELETE", `/devices/${device.id}/refusals/1.1.0`);
  await device.updates("1.1.0", imageHash);
  const shown = await fleet.api("GET", `/devices/${device.id}`);
  assert.deepEqual([shown.state, shown.refusals], ["updated", []]);
});

test("clearing a rollout clears each device that went back or failed, and no other", async (t) => {
  const { fleet, devices } = await fleetOf(t, 4);
  const [back, failed, updated, waiting] = devices;
  assert.ok(back && failed && updated && waiting);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  await rollout(fleet, "1.1.0", { haltThreshold: { rolledBackShare: 1, failedShare: 1 } });
  await back.rollsBack({ version: "1.1.0", imageHash }, old);
  await updated.updates("1.1.0", imageHash);
  const actionId = await failed.offered();
  await failed.feedback(actionId ?? 0, "closed", "failure", ["state=failed", "reason=key-unknown"]);
  const cleared = await fleet.api("POST", "/rollouts/1/clear", {});
  assert.deepEqual(cleared, { devices: [back.id, failed.id], more: false });
  for (const device of [back, failed]) assert.equal((await termsOf(device)).retry, true);
  assert.equal((await termsOf(waiting)).retry, false);
  assert.equal(await updated.offered(), null);
  assert.deepEqual(await fleet.api("POST", "/rollouts/1/clear", {}), { devices: [], more: false });
});

test("a rollout that retries takes devices that went back under an earlier one, and clears them", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const [device] = devices;
  assert.ok(device);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  await rollout(fleet, "1.1.0", { haltThreshold: { rolledBackShare: 1 } });
  await device.rollsBack({ version: "1.1.0", imageHash }, old);
  const refused = await rollout(fleet, "1.1.0");
  assert.equal(refused.statusCode, 409);
  assert.match(refused.json().message, /1 rolled-back-before.*retry what was rolled back/);
  assert.equal((await rollout(fleet, "1.1.0", { retryRolledBack: true })).statusCode, 201);
  assert.equal((await termsOf(device)).retry, true);
  await device.updates("1.1.0", imageHash);
  assert.deepEqual((await fleet.api("GET", `/devices/${device.id}`)).refusals, []);
});

test("what was allowed and cleared, and what images say, survive a restart", async (t) => {
  const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
  const { fleet, devices } = await fleetOf(t, 1, { databaseFile });
  const [device] = devices;
  assert.ok(device);
  const imageHash = await fleet.publish({ version: "2.0.0", release: { windowOverride: true } });
  await rollout(fleet, "2.0.0", { approved: true, haltThreshold: { rolledBackShare: 1 } });
  await device.rollsBack({ version: "2.0.0", imageHash }, old);
  await fleet.api("POST", "/rollouts/1/clear", {});
  await fleet.server.close();
  const again = await TestFleet.open(t, { databaseFile });
  const terms = await termsOf(device.on(again));
  assert.deepEqual(terms, { approved: true, retry: true, forced: true });
  const { images } = await again.api("GET", "/releases/2.0.0");
  assert.equal(images[0].facts.windowOverride, true);
});
