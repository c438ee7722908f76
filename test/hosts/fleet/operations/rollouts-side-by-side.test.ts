// Several rollouts at once for one device, and what becomes of one that was finished.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { FleetOptions } from "../../../../hosts/fleet/options.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { hardware, TestFleet } from "../test-fleet.ts";
import { fleetOf, memberOf, old, rollOut } from "./rollout-scene.ts";

const anyShare = { rolledBackShare: 1, failedShare: 1, noLinkShare: 1 };

async function kindsOf(fleet: TestFleet, rollout: number): Promise<string[]> {
  const { items } = await fleet.api("GET", "/events?limit=500");
  return items
    .filter(({ rolloutId }: { rolloutId: number }) => rolloutId === rollout)
    .map(({ kind }: { kind: string }) => kind)
    .filter((kind: string) => /^(rollout|stage)-/.test(kind));
}

const twoStages = [
  { percent: 50, soakSeconds: 0 },
  { percent: 100, soakSeconds: 0 },
];

test("an earlier rollout takes no device back to its other image of the same release", async (t) => {
  const { fleet, devices } = await fleetOf(t, 4);
  await fleet.publish({
    version: "1.1.0",
    hardware: "esp32c6-a",
    release: { hardware: ["esp32c6-a", hardware] },
  });
  await rollOut(fleet, "1.1.0", { stages: twoStages });
  const own = await fleet.publish({ version: "1.1.0", fill: 1 });
  await rollOut(fleet, "1.1.0", { beside: true });
  for (const device of devices) await device.updates("1.1.0", own);
  await fleet.wait(1);
  for (const device of devices) {
    assert.equal(await device.offered(), null);
    assert.deepEqual(await memberOf(fleet, 2, device.id), ["updated", null]);
    assert.deepEqual(await memberOf(fleet, 1, device.id), ["excluded", "superseded"]);
  }
});

test("an earlier rollout that may downgrade takes back no device that a later one updated", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const [device] = devices;
  assert.ok(device);
  await fleet.publish({ version: "0.9.0" });
  await rollOut(fleet, "0.9.0", { allowDowngrade: true, approved: true, start: false });
  const imageHash = await fleet.publish({ version: "1.1.0", fill: 1 });
  await rollOut(fleet, "1.1.0");
  await device.updates("1.1.0", imageHash);
  await fleet.api("POST", "/rollouts/1/start");
  assert.equal(await device.offered(), null);
  assert.deepEqual(await memberOf(fleet, 2, device.id), ["updated", null]);
});

test("silence that one rollout of a release excuses is held against no other of it", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const [device] = devices;
  assert.ok(device);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  for (const _ of [1, 2]) await rollOut(fleet, "1.1.0", { haltThreshold: anyShare, beside: true });
  const actionId = await device.installs("1.1.0", imageHash);
  device.runs(old.version, old.imageHash);
  await device.poll();
  const details = ["state=rolledBack", "reason=no-server"];
  assert.equal(await device.feedback(actionId, "closed", "failure", details), 200);
  for (const rollout of [1, 2])
    assert.deepEqual(await memberOf(fleet, rollout, device.id), ["no-link", "no-server"]);
});

test("a device whose hardware is told otherwise after the activation proves its release all the same", async (t) => {
  const { fleet } = await fleetOf(t, 0);
  const gateway = { authorization: "GatewayToken gateway-token", host: "fleet.test" };
  const ask = async (method: "GET" | "PUT" | "POST", path: string, payload?: object, more = {}) => {
    const url = `/DEFAULT/controller/v1/told${path && `/${path}`}`;
    const headers = { ...gateway, "content-type": "application/json", ...more };
    return fleet.inject({ method, url, headers, ...(payload && { payload }) });
  };
  const is = (id: string) => ask("PUT", "configData", { mode: "merge", data: { hardware: id } });
  await ask("GET", "");
  await is(hardware);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0");
  const id = /deploymentBase\/(\d+)/.exec((await ask("GET", "")).body)?.[1];
  const status = { execution: "proceeding", result: { finished: "none" } };
  await ask("POST", `deploymentBase/${id}/feedback`, {
    status: { ...status, details: ["state=activating"] },
  });
  await is("esp32c6-a");
  const runs = { "sluice-running": `1.1.0;${imageHash};confirmed` };
  await ask("GET", "", undefined, runs);
  assert.deepEqual(await memberOf(fleet, 1, "told"), ["updated", null]);
});

/** 18 of 20 took it, the rest is on its way; finished by the stragglers' rule. */
async function finished(t: TestContext, more: object = {}, options: Partial<FleetOptions> = {}) {
  const { fleet, devices } = await fleetOf(t, 20, options);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  const stragglers = { allowedShare: 0.1, afterSeconds: 1800 };
  await rollOut(fleet, "1.1.0", { stragglers, ...more });
  for (const device of devices.slice(0, 18)) await device.updates("1.1.0", imageHash);
  await fleet.wait(1801);
  const rollout = await fleet.api("GET", "/rollouts/1");
  assert.equal(rollout.state, "finished");
  const straggler = devices[19] ?? assert.fail();
  return { fleet, devices, imageHash, straggler, endedAtUnixMs: rollout.endedAtUnixMs };
}

for (const restarted of [false, true])
  test(`a finished rollout that was paused is finished again${restarted ? ", also after a restart" : ""}, once, and takes nobody in`, async (t) => {
    const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
    const scene = await finished(t, {}, { databaseFile });
    let { fleet, straggler } = scene;
    const before = await kindsOf(fleet, 1);
    await fleet.api("POST", "/rollouts/1/pause");
    if (restarted) {
      await fleet.server.close();
      fleet = await TestFleet.open(t, { databaseFile }, 1810);
      straggler = straggler.on(fleet);
    }
    const late = await fleet.addDevice("late");
    late.runs(old.version, old.imageHash);
    await late.poll();
    assert.equal(await memberOf(fleet, 1, late.id), null);
    assert.equal(await straggler.offered(), null);
    const resumed = await fleet.api("POST", "/rollouts/1/resume");
    assert.equal(resumed.state, "finished");
    await fleet.wait(1);
    assert.equal(await late.offered(), null);
    assert.notEqual(await straggler.offered(), null);
    const after = (await kindsOf(fleet, 1)).slice(before.length);
    assert.deepEqual(after, ["rollout-paused", "rollout-finished"]);
  });

test("stragglers of a finished rollout learn when its window opens", async (t) => {
  const windows = { timeZone: "UTC0", install: [{ days: ["fri"], start: "09:00", minutes: 60 }] };
  const { fleet, straggler } = await finished(t, { windows });
  const isOpen = async () => {
    const offer = await straggler.request("GET", `deploymentBase/${await straggler.offered()}`);
    return offer.json().deployment.maintenanceWindow !== "unavailable";
  };
  assert.equal(await isOpen(), false);
  await fleet.wait(1800);
  assert.equal(await isOpen(), true);
});

test("going on from an emptied last stage is told as any other end", async (t) => {
  const { fleet, devices } = await fleetOf(t, 2);
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0", { stages: twoStages });
  for (const { id } of devices) await fleet.api("DELETE", `/devices/${id}`);
  await fleet.api("POST", "/rollouts/1/advance");
  const { state } = await fleet.api("POST", "/rollouts/1/advance");
  assert.equal(state, "finished");
  assert.deepEqual((await kindsOf(fleet, 1)).slice(2), [
    "stage-completed",
    "stage-opened",
    "stage-completed",
    "rollout-finished",
  ]);
});
