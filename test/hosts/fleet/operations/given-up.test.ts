// A device gives its action up, and nobody asked it to.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../support/command-line.ts";
import { TestFleet } from "../test-fleet.ts";
import { fleetOf, memberOf, rollOut } from "./rollout-scene.ts";

const hour = 3600;
const anyShare = { rolledBackShare: 1, failedShare: 1, noLinkShare: 1 };

test("is offered the release again after 1, 6 and 24 hours, and then not any more", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const [device] = devices;
  assert.ok(device);
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0", { haltThreshold: anyShare });
  for (const hours of [1, 6, 24]) {
    const actionId = (await device.offered()) ?? assert.fail(`nothing offered before ${hours} h`);
    await device.feedback(actionId, "canceled", "none", ["no room"]);
    assert.deepEqual(await memberOf(fleet, 1, device.id), ["withdrawn", "no room"]);
    for (let polls = 0; polls < 3; polls += 1) assert.equal(await device.offered(), null);
    await fleet.wait(hours * hour - 1);
    assert.equal(await device.offered(), null);
    await fleet.wait(1);
  }
  const actionId = (await device.offered()) ?? assert.fail("nothing offered for the last time");
  await device.feedback(actionId, "canceled", "none", []);
  assert.deepEqual(await memberOf(fleet, 1, device.id), ["failed", "given-up"]);
  await fleet.wait(90 * 24 * hour);
  assert.equal(await device.offered(), null);
  await fleet.api("DELETE", `/devices/${device.id}/refusals/1.1.0`);
  assert.notEqual(await device.offered(), null, "an operator may let it try again");
});

test("its pause is over at once when an operator lets it try again", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const [device] = devices;
  assert.ok(device);
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0");
  await device.feedback((await device.offered()) ?? 0, "canceled", "none");
  assert.equal(await device.offered(), null);
  await fleet.api("DELETE", `/devices/${device.id}/refusals/1.1.0`);
  assert.notEqual(await device.offered(), null);
});

test("its pause takes as long whatever becomes of the wall clock", async (t) => {
  for (const step of [-30 * 24 * hour, 30 * 24 * hour]) {
    const { fleet, devices } = await fleetOf(t, 1);
    const [device] = devices;
    assert.ok(device);
    await fleet.publish({ version: "1.1.0" });
    await rollOut(fleet, "1.1.0");
    await device.feedback((await device.offered()) ?? 0, "canceled", "none");
    await fleet.step(step);
    assert.equal(await device.offered(), null);
    await fleet.wait(hour);
    assert.notEqual(await device.offered(), null);
  }
});

test("its pause goes on after a restart of the server", async (t) => {
  const folder = temporaryFolder(t);
  const files = { databaseFile: join(folder, "fleet.sqlite"), artifactsFolder: folder };
  const first = await fleetOf(t, 1, files);
  const [before] = first.devices;
  assert.ok(before);
  await first.fleet.publish({ version: "1.1.0" });
  await rollOut(first.fleet, "1.1.0");
  await before.feedback((await before.offered()) ?? 0, "canceled", "none");
  await first.fleet.server.close();
  const fleet = await TestFleet.open(t, files, 10);
  const device = before.on(fleet);
  assert.equal(await device.offered(), null);
  await fleet.wait(hour);
  assert.notEqual(await device.offered(), null);
});

test("one that an operator asked for it is not offered the release again", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const [device] = devices;
  assert.ok(device);
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0");
  const actionId = (await device.offered()) ?? 0;
  await device.feedback(actionId, "download", "none", ["state=downloading"]);
  await fleet.api("POST", `/devices/${device.id}/cancel`, {});
  // On the deployment instead of the cancellation, as some clients do.
  await device.feedback(actionId, "canceled", "none", ["stopped"]);
  assert.deepEqual(await memberOf(fleet, 1, device.id), ["excluded", "taken-back"]);
  await fleet.wait(48 * hour);
  assert.equal(await device.offered(), null);
});

test("many that give up halt the rollout once they gave up for good", async (t) => {
  const { fleet, devices } = await fleetOf(t, 30);
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0");
  for (const hours of [1, 6, 24, 0]) {
    for (const device of devices) {
      const actionId = await device.offered();
      if (actionId !== null) await device.feedback(actionId, "canceled", "none");
    }
    await fleet.wait(hours * hour);
  }
  const rollout = await fleet.api("GET", "/rollouts/1");
  assert.deepEqual([rollout.state, rollout.halt.reason], ["halted", "failed-share"]);
});
