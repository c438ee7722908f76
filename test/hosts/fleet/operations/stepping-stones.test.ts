// Devices that are too old for a release go there over stepping stones, in the same rollout.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { parseVersion } from "../../../../src/image/version.ts";
import { hardware, type TestDevice, type TestFleet } from "../test-fleet.ts";
import { allAtOnce, fleetOf, memberOf, old, rollOut } from "./rollout-scene.ts";

const before = "1.0.7";

function stone(version: string) {
  return { steppingStone: parseVersion(version) };
}

/** 1.1.0, then 1.2.0 that needs it, then 1.3.0 that needs that; all devices run 1.0.0. */
async function stones(t: TestContext, count: number) {
  const { fleet, devices } = await fleetOf(t, count);
  const first = await fleet.publish({ version: "1.1.0", fill: 1 });
  const second = await fleet.publish({ version: "1.2.0", fill: 2, release: stone("1.1.0") });
  const target = await fleet.publish({ version: "1.3.0", fill: 3, release: stone("1.2.0") });
  const [device] = devices;
  assert.ok(device);
  return { fleet, devices, device, hashes: { first, second, target } };
}

/** The version that the device is offered, or null. */
async function offeredVersion(device: TestDevice): Promise<string | null> {
  const action = await device.offered();
  if (action === null) return null;
  const answer = await device.request("GET", `deploymentBase/${action}`);
  return answer.json().deployment.chunks[0].version;
}

async function asked(fleet: TestFleet, releaseVersion: string, more: object = {}) {
  const payload = { name: "r", releaseVersion, stages: allAtOnce, start: true, ...more };
  return fleet.inject({ method: "POST", url: "/api/v1/rollouts", payload });
}

test("a device goes over each stepping stone in turn, and is updated on the release alone", async (t) => {
  const { fleet, device, hashes } = await stones(t, 1);
  assert.equal((await rollOut(fleet, "1.3.0")).eligible, 1);
  assert.equal(await offeredVersion(device), "1.1.0");
  await device.updates("1.1.0", hashes.first);
  assert.equal(await offeredVersion(device), "1.2.0");
  assert.deepEqual(await memberOf(fleet, 1, device.id), ["offered", null]);
  await device.updates("1.2.0", hashes.second);
  await fleet.wait(1);
  assert.equal((await fleet.api("GET", "/rollouts/1")).stages[0].counts.updated, 0);
  assert.equal(await offeredVersion(device), "1.3.0");
  await device.updates("1.3.0", hashes.target);
  await fleet.wait(1);
  const rollout = await fleet.api("GET", "/rollouts/1");
  assert.deepEqual([rollout.state, rollout.stages[0].counts.updated], ["finished", 1]);
  const { actions } = await fleet.api("GET", `/devices/${device.id}`);
  assert.deepEqual(
    actions.map(({ status }: { status: string }) => status),
    ["finished", "finished", "finished"],
  );
});

test("a step counts also where its end is reported before the running image shows it", async (t) => {
  const { fleet, device, hashes } = await stones(t, 1);
  await rollOut(fleet, "1.3.0");
  const action = await device.installs("1.1.0", hashes.first);
  assert.equal(await device.feedback(action, "closed", "success", ["state=confirmed"]), 200);
  assert.deepEqual(await memberOf(fleet, 1, device.id), ["reported", null]);
  device.runs("1.1.0", hashes.first);
  assert.equal(await offeredVersion(device), "1.2.0");
});

test("a step whose end is never reported is followed by the next one a day later", async (t) => {
  const { fleet, device, hashes } = await stones(t, 1);
  await rollOut(fleet, "1.3.0");
  await device.installs("1.1.0", hashes.first);
  device.runs("1.1.0", hashes.first);
  assert.equal(await device.offered(), null);
  assert.deepEqual(await memberOf(fleet, 1, device.id), ["waiting", "runs-step-1.1.0"]);
  await fleet.wait(24 * 3600 - 1);
  assert.equal(await device.offered(), null);
  await fleet.wait(1);
  assert.equal(await offeredVersion(device), "1.2.0");
});

test("a paused rollout sends nobody over the next step", async (t) => {
  const { fleet, device, hashes } = await stones(t, 1);
  await rollOut(fleet, "1.3.0");
  const action = await device.installs("1.1.0", hashes.first);
  await fleet.api("POST", "/rollouts/1/pause");
  device.runs("1.1.0", hashes.first);
  await device.feedback(action, "closed", "success", ["state=confirmed"]);
  assert.equal(await device.offered(), null);
  assert.deepEqual(await memberOf(fleet, 1, device.id), ["waiting", "runs-step-1.1.0"]);
  await fleet.api("POST", "/rollouts/1/resume");
  assert.equal(await offeredVersion(device), "1.2.0");
});

test("a device that goes back from a step went back from the release's rollout", async (t) => {
  const { fleet, devices, device, hashes } = await stones(t, 3);
  await rollOut(fleet, "1.3.0");
  for (const one of devices.slice(0, 2))
    await one.rollsBack({ version: "1.1.0", imageHash: hashes.first }, old);
  assert.deepEqual(await memberOf(fleet, 1, device.id), ["rolled-back", "crashed"]);
  assert.equal((await fleet.api("GET", "/rollouts/1")).state, "halted", "two of three");
  const other = devices[2];
  assert.equal(await other?.offered(), null);
});

test("a device that confirmed a step and leaves it without a word went back", async (t) => {
  const { fleet, device, hashes } = await stones(t, 1);
  await rollOut(fleet, "1.3.0");
  await device.updates("1.1.0", hashes.first);
  assert.equal(await offeredVersion(device), "1.2.0");
  device.runs(old.version, old.imageHash);
  await device.poll();
  assert.deepEqual(await memberOf(fleet, 1, device.id), ["rolled-back", "reverted"]);
  assert.equal(await device.offered(), null);
});

test("a device that reports a late rollback from a step went back for what it reports", async (t) => {
  const { fleet, device, hashes } = await stones(t, 1);
  await rollOut(fleet, "1.3.0");
  const action = await device.installs("1.1.0", hashes.first);
  device.runs("1.1.0", hashes.first);
  await device.feedback(action, "closed", "success", ["state=confirmed"]);
  assert.equal(await offeredVersion(device), "1.2.0");
  device.runs(old.version, old.imageHash);
  const reason = "reason=late-rollback:watchdog";
  await device.feedback(action, "closed", "failure", ["state=rolledBack", reason]);
  assert.deepEqual(await memberOf(fleet, 1, device.id), ["rolled-back", reason.slice(7)]);
});

test("a device that was set to an older image is sent over what leads on from there", async (t) => {
  const { fleet, device, hashes } = await stones(t, 1);
  device.runs("1.2.0", hashes.second);
  await device.poll();
  await rollOut(fleet, "1.3.0");
  assert.equal(await offeredVersion(device), "1.3.0");
  device.runs(before, "9".repeat(64));
  assert.equal(await offeredVersion(device), "1.1.0");
});

test("a release that strands devices is refused, and says which, unless they are left behind", async (t) => {
  const { fleet, devices } = await fleetOf(t, 23);
  await fleet.publish({ version: "1.3.0", release: stone("1.2.0") });
  const [first, second] = devices;
  first?.runs("1.2.0", "2".repeat(64));
  await first?.poll();
  second?.runs(before, "9".repeat(64));
  await second?.poll();
  const answer = await asked(fleet, "1.3.0");
  assert.deepEqual([answer.statusCode, answer.json().error], [409, "strands-devices"]);
  const { message } = answer.json();
  assert.match(message, /22 devices to release 1\.3\.0: 21 on 1\.0\.0 \(\S+\), 1 on 1\.0\.7/);
  assert.match(message, /device-0001, .*device-0020 and 2 others; .*--leave-behind/);
  assert.equal((await fleet.api("GET", "/rollouts")).items.length, 0);
  const left = await asked(fleet, "1.3.0", { leaveBehind: true });
  assert.deepEqual([left.statusCode, left.json().eligible], [201, 1], left.body);
});

test("a step that nobody approved strands a device, and says that it may be approved", async (t) => {
  const { fleet } = await fleetOf(t, 1);
  await fleet.publish({ version: "1.2.0", release: { breaking: true } });
  await fleet.publish({ version: "1.3.0", release: stone("1.2.0") });
  const refused = await asked(fleet, "1.3.0");
  assert.equal(refused.json().error, "strands-devices");
  assert.match(refused.json().message, /--approve/);
  const approved = await asked(fleet, "1.3.0", { approved: true });
  assert.equal(approved.statusCode, 201, approved.body);
});

test("a stepping stone that is published after the plan is none of it", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  await fleet.publish({ version: "1.3.0", release: stone("1.2.0") });
  await asked(fleet, "1.3.0", { leaveBehind: true, selector: { hardware: [hardware] } });
  const [device] = devices;
  const newer = await fleet.addDevice("newer");
  newer.runs("1.2.0", "2".repeat(64));
  await newer.poll();
  await asked(fleet, "1.3.0", { leaveBehind: true });
  await fleet.publish({ version: "1.2.0" });
  assert.equal(await device?.offered(), null);
});

test("another rollout of the release is in the way also of devices that are on a step", async (t) => {
  const { fleet, device, hashes } = await stones(t, 1);
  await rollOut(fleet, "1.3.0");
  await device.installs("1.1.0", hashes.first);
  assert.equal((await asked(fleet, "1.3.0")).json().error, "overlaps");
});

test("a step does not count as going back from what an earlier rollout brought", async (t) => {
  const { fleet, device, hashes } = await stones(t, 1);
  const back = await fleet.publish({ version: "1.0.1", fill: 9 });
  device.runs("1.1.0", hashes.first);
  await device.poll();
  await rollOut(fleet, "1.0.1", { allowDowngrade: true });
  await device.updates("1.0.1", back);
  assert.deepEqual(await memberOf(fleet, 1, device.id), ["updated", null]);
  await rollOut(fleet, "1.3.0");
  await device.updates("1.1.0", hashes.first);
  assert.deepEqual(await memberOf(fleet, 1, device.id), ["updated", null]);
  assert.equal(await offeredVersion(device), "1.2.0");
});
