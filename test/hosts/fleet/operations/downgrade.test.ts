// A rollout of something older: what its devices ran before is newer than what it brings.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { fleetOf, memberOf, rollOut } from "./rollout-scene.ts";

async function downgrade(t: TestContext) {
  const { fleet, devices } = await fleetOf(t, 4);
  const older = await fleet.publish({ version: "1.1.0" });
  const newer = await fleet.publish({ version: "1.2.0", fill: 1 });
  for (const device of devices) {
    device.runs("1.2.0", newer);
    await device.poll();
  }
  const soaked = [{ percent: 100, soakSeconds: 3600 }];
  await rollOut(fleet, "1.1.0", { allowDowngrade: true, stages: soaked });
  return { fleet, devices, older, newer };
}

test("a bootloader that goes back to the newer image speaks against the downgrade", async (t) => {
  const { fleet, devices, older, newer } = await downgrade(t);
  let offers = 0;
  for (const device of devices) {
    if ((await device.offered()) === null) continue;
    offers += 1;
    await device.installs("1.1.0", older);
    device.runs("1.2.0", newer);
    await device.poll();
    await fleet.wait(1);
  }
  assert.equal(offers, 2, "the second that goes back halts it");
  assert.equal((await fleet.api("GET", "/rollouts/1")).state, "halted");
  assert.deepEqual(await memberOf(fleet, 1, devices[0]?.id ?? ""), ["rolled-back", "reverted"]);
});

test("devices that leave a downgrade which they had confirmed count as gone back", async (t) => {
  const { fleet, devices, older, newer } = await downgrade(t);
  for (const device of devices) await device.updates("1.1.0", older);
  for (const device of devices.slice(0, 2)) {
    device.runs("1.2.0", newer);
    await device.poll();
  }
  const { state, stages } = await fleet.api("GET", "/rollouts/1");
  assert.deepEqual([state, stages[0].counts["rolled-back"]], ["halted", 2]);
});

test("a later rollout takes devices on from a downgrade", async (t) => {
  const { fleet, devices, older, newer } = await downgrade(t);
  for (const device of devices) await device.updates("1.1.0", older);
  await rollOut(fleet, "1.2.0");
  for (const device of devices) await device.updates("1.2.0", newer);
  const { state, stages } = await fleet.api("GET", "/rollouts/1");
  assert.deepEqual([state, stages[0].counts.updated], ["running", devices.length]);
});

test("a device that moves on from a downgrade to something newer has not gone back", async (t) => {
  const { fleet, devices, older } = await downgrade(t);
  for (const device of devices) await device.updates("1.1.0", older);
  devices[0]?.runs("1.3.0", "c".repeat(64));
  await devices[0]?.poll();
  const { state, stages } = await fleet.api("GET", "/rollouts/1");
  assert.deepEqual([state, stages[0].counts.updated], ["running", devices.length]);
});

test("a device on trial of a downgrade that is flashed newer by hand has not gone back", async (t) => {
  const { fleet, devices, older } = await downgrade(t);
  const [device] = devices;
  assert.ok(device);
  await device.installs("1.1.0", older);
  device.runs("1.3.0", "c".repeat(64));
  await device.poll();
  assert.notEqual((await memberOf(fleet, 1, device.id))?.[0], "rolled-back");
  assert.equal((await fleet.api("GET", "/rollouts/1")).state, "running");
});
