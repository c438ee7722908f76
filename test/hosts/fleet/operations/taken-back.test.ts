// An operator takes the action of one device back, whatever the device does in the meantime.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { FleetOptions } from "../../../../hosts/fleet/options.ts";
import { type TestDevice, TestFleet } from "../test-fleet.ts";

const old = { version: "1.0.0", imageHash: "a".repeat(64) };
const allAtOnce = [{ percent: 100, soakSeconds: 0 }];
const day = 24 * 3600;
const anyShare = { rolledBackShare: 1, failedShare: 1, noLinkShare: 1 };

async function scene(t: TestContext, more: object = {}, options: Partial<FleetOptions> = {}) {
  const fleet = await TestFleet.open(t, options);
  const device = await fleet.addDevice("kitchen");
  device.runs(old.version, old.imageHash);
  await device.poll();
  const imageHash = await fleet.publish({ version: "1.1.0" });
  const wanted = { name: "r", releaseVersion: "1.1.0", stages: allAtOnce, start: true, ...more };
  await fleet.api("POST", "/rollouts", wanted);
  const actionId = (await device.offered()) ?? assert.fail("nothing is offered");
  const cancel = (force = false) => fleet.api("POST", "/devices/kitchen/cancel", { force });
  return { fleet, device, imageHash, actionId, cancel };
}

async function memberOf(fleet: TestFleet): Promise<unknown> {
  const { items } = await fleet.api("GET", "/rollouts/1/devices");
  return [items[0].state, items[0].reason];
}

async function answerCancel(device: TestDevice, actionId: number, execution: string) {
  const body = { status: { execution, result: { finished: "success" }, details: [] } };
  const answer = await device.request("POST", `cancelAction/${actionId}/feedback`, { body });
  assert.equal(answer.statusCode, 200, answer.body);
}

test("what is taken back stays so when progress was reported after it was asked for", async (t) => {
  const { fleet, device, actionId, cancel } = await scene(t);
  await device.feedback(actionId, "download", "none", ["state=downloading"]);
  await cancel();
  await device.feedback(actionId, "proceeding", "none", ["state=downloading"]);
  await answerCancel(device, actionId, "closed");
  assert.deepEqual(await memberOf(fleet), ["excluded", "taken-back"]);
  assert.equal(await device.offered(), null);
});

test("a cancellation that is refused gives no consent to what nobody confirmed", async (t) => {
  const { fleet, device, cancel } = await sceneOfConsent(t);
  await cancel();
  const asked = /cancelAction\/(\d+)/.exec((await device.poll())["cancelAction"] ?? "")?.[1];
  await answerCancel(device, Number(asked), "rejected");
  const links = await device.poll();
  assert.equal(links["deploymentBase"], undefined);
  assert.notEqual(links["confirmationBase"], undefined);
  assert.deepEqual(await memberOf(fleet), ["offered", null]);
});

test("what was denied first and confirmed then counts as begun when its file is fetched", async (t) => {
  const { fleet, device } = await sceneOfConsent(t);
  const id = /confirmationBase\/(\d+)/.exec((await device.poll())["confirmationBase"] ?? "")?.[1];
  for (const confirmation of ["denied", "confirmed"])
    await device.request("POST", `confirmationBase/${id}/feedback`, { body: { confirmation } });
  const offer = await device.request("GET", `deploymentBase/${await device.offered()}`);
  const { href } = offer.json().deployment.chunks[0].artifacts[0]._links["download-http"];
  assert.equal((await device.request("GET", new URL(href).pathname)).statusCode, 200);
  assert.deepEqual(await memberOf(fleet), ["working", null]);
});

async function sceneOfConsent(t: TestContext) {
  const fleet = await TestFleet.open(t);
  const device = await fleet.addDevice("kitchen");
  await fleet.publish({ version: "1.1.0" });
  const wanted = { name: "r", releaseVersion: "1.1.0", stages: allAtOnce, start: true };
  await fleet.api("POST", "/rollouts", { ...wanted, needsConfirmation: true });
  await device.poll();
  const cancel = () => fleet.api("POST", "/devices/kitchen/cancel", { force: false });
  return { fleet, device, cancel };
}

for (const force of [false, true])
  test(`a device that runs the release is not asked to cancel it, ${force ? "by force either" : "only its action ends"}`, async (t) => {
    const { fleet, device, imageHash, cancel } = await scene(t);
    await device.installs("1.1.0", imageHash);
    device.runs("1.1.0", imageHash);
    await device.poll();
    await cancel(force);
    assert.equal((await device.poll())["cancelAction"], undefined);
    for (const seconds of [day, 15 * day]) await fleet.wait(seconds);
    const shown = await fleet.api("GET", "/devices/kitchen");
    assert.deepEqual([shown.state, shown.actions[0].status], ["updated", "finished"]);
    assert.deepEqual(await memberOf(fleet), ["updated", null]);
  });

test("a pause before another try is none that a cancellation makes shorter", async (t) => {
  const { fleet, device, imageHash, cancel } = await scene(t, {
    haltThreshold: anyShare,
    cancelSeconds: 60,
  });
  const actionId = await device.installs("1.1.0", imageHash);
  device.runs(old.version, old.imageHash);
  await device.poll();
  assert.deepEqual(await memberOf(fleet), ["rolled-back", "reverted"]);
  await cancel();
  await fleet.wait(61);
  const { state, actions } = await fleet.api("GET", "/devices/kitchen");
  assert.deepEqual([state, actions[0].status], ["rolled-back", "failed"]);
  assert.equal(await device.feedback(actionId, "closed", "failure", ["state=rolledBack"]), 410);
});

test("who missed the server and never said so is offered a new action, not the one of before", async (t) => {
  const ticked = { ticksEveryMs: 10_000 };
  const { fleet, device, imageHash, actionId } = await scene(t, {}, ticked);
  await device.installs("1.1.0", imageHash);
  await fleet.wait(60); // the server was stuck
  device.runs(old.version, old.imageHash);
  await device.poll();
  assert.deepEqual(await memberOf(fleet), ["no-server", "reverted"]);
  for (let seconds = 0; seconds < 3600; seconds += 10) await fleet.wait(10);
  const again = await device.offered();
  assert.notEqual(again, null);
  assert.notEqual(again, actionId);
  assert.deepEqual(await memberOf(fleet), ["offered", null]);
});
