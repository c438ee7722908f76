import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { FleetOptions } from "../../../../hosts/fleet/options.ts";
import { parseDeployment } from "../../../../src/protocol/ddi.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { type TestDevice, TestFleet } from "../test-fleet.ts";

/**
 * The servers of the tests start on Friday, 2027-01-15, at 08:00 UTC; this opens an hour later, for
 * an hour.
 */
const windows = {
  timeZone: "UTC0",
  install: [{ days: ["fri"], start: "09:00", minutes: 60 }],
};
const stages = [{ percent: 100, soakSeconds: 60 }];

async function scene(context: TestContext, options: Partial<FleetOptions> = {}) {
  const fleet = await TestFleet.open(context, options);
  const device = await fleet.addDevice("lamp");
  device.runs("1.0.0", "0a".repeat(32));
  await device.poll();
  const imageHash = await fleet.publish({ version: "1.1.0" });
  const wanted = { name: "r", releaseVersion: "1.1.0", stages, start: true, windows };
  await fleet.api("POST", "/rollouts", wanted);
  return { fleet, device, imageHash };
}

async function offerOf(device: TestDevice): Promise<{ link: string; windowOpen: boolean }> {
  const { deploymentBase } = await device.poll();
  assert.ok(deploymentBase !== undefined);
  const parsed = parseDeployment((await device.request("GET", deploymentBase)).rawPayload);
  assert.ok(parsed.ok);
  return { link: deploymentBase, windowOpen: parsed.offer.windowOpen };
}

test("a device may download before the window, and learns when it opens and closes", async (t) => {
  const { fleet, device } = await scene(t);
  const closed = await offerOf(device);
  assert.equal(closed.windowOpen, false);
  const { windowOpensAtUnixMs } = await fleet.api("GET", "/rollouts/1");
  assert.equal(windowOpensAtUnixMs, Date.UTC(2027, 0, 15, 9));
  await fleet.wait(3599);
  assert.deepEqual(await offerOf(device), closed);
  await fleet.wait(1);
  const open = await offerOf(device);
  assert.equal(open.windowOpen, true);
  assert.notEqual(open.link, closed.link, "another answer has another link");
  assert.equal((await fleet.api("GET", "/rollouts/1")).windowOpensAtUnixMs, null);
  await fleet.wait(3600);
  assert.deepEqual(await offerOf(device), closed);
});

test("a client that never says what it runs is offered nothing until the window opens", async (t) => {
  const { fleet } = await scene(t);
  const plain = await fleet.addDevice("plain");
  assert.equal(await plain.offered(), null);
  await fleet.wait(3600);
  assert.notEqual(await plain.offered(), null);
});

test("a rollout without windows says nothing of them", async (t) => {
  const { fleet, device } = await scene(t);
  await fleet.api("POST", "/rollouts/1/cancel");
  await fleet.api("POST", "/rollouts", { name: "s", releaseVersion: "1.1.0", stages, start: true });
  const cancel = (await device.poll())["cancelAction"];
  const body = { status: { execution: "closed", result: { finished: "success" } } };
  if (cancel !== undefined) await device.request("POST", `${cancel}/feedback`, { body });
  const { deploymentBase } = await device.poll();
  const { deployment } = (await device.request("GET", deploymentBase ?? "")).json();
  assert.equal("maintenanceWindow" in deployment, false);
});

test("windows survive a restart of the server", async (t) => {
  const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
  const { fleet, device } = await scene(t, { databaseFile });
  assert.equal((await offerOf(device)).windowOpen, false);
  await fleet.server.close();
  const again = await TestFleet.open(t, { databaseFile }, 3600);
  assert.equal((await offerOf(device.on(again))).windowOpen, true);
});

for (const [name, bad] of [
  ["no zone", { install: windows.install }],
  ["a zone by its name", { ...windows, timeZone: "Europe/Berlin" }],
  ["a window of no time", { ...windows, install: [{ ...windows.install[0], minutes: 0 }] }],
  ["no windows at all", { timeZone: "UTC0" }],
] as const)
  test(`refuses windows with ${name}`, async (t) => {
    const { fleet } = await scene(t);
    const payload = { name: "r", releaseVersion: "1.1.0", windows: bad };
    const answer = await fleet.inject({ method: "POST", url: "/api/v1/rollouts", payload });
    assert.deepEqual([answer.statusCode, answer.json().error], [400, "windows-invalid"]);
  });
