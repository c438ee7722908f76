import assert from "node:assert/strict";
import { test } from "node:test";
import type { TestDevice, TestFleet } from "../test-fleet.ts";
import { allAtOnce, fleetOf, memberOf, old, rollOut } from "./rollout-scene.ts";

const hour = 3600;

/** A rollout in its soak, of devices that all took the release. */
async function soaking(t: Parameters<typeof fleetOf>[0], count: number, more: object = {}) {
  const { fleet, devices } = await fleetOf(t, count);
  const imageHash = await fleet.publish({ version: "2.0.0" });
  const stages = [{ ...allAtOnce[0], percent: 100, soakSeconds: 30 * 24 * hour }];
  const { id } = await rollOut(fleet, "2.0.0", { approved: true, stages, ...more });
  for (const device of devices) await device.updates("2.0.0", imageHash);
  const rollout = () => fleet.api("GET", `/rollouts/${id}`);
  return { fleet, devices, id, rollout };
}

async function pass(fleet: TestFleet, hours: number, polling: readonly TestDevice[]) {
  for (let passed = 0; passed < hours; passed += 4) {
    await fleet.wait(4 * hour);
    for (const device of polling) await device.poll();
  }
}

test("devices that fall silent after the update stop a rollout in its soak", async (t) => {
  const { fleet, devices, rollout } = await soaking(t, 24);
  await pass(fleet, 8, devices);
  assert.equal((await rollout()).stages[0].counts.updated, 24);
  await pass(fleet, 16, devices.slice(12));
  const { state, halt, stages, outcomes } = await rollout();
  assert.equal(stages[0].counts.silent, 9); // the fewest whose bound is over a fifth
  const stopped = [state, halt.reason, halt.bad, halt.sample];
  assert.deepEqual(stopped, ["halted", "silent-share", 9, 24]);
  assert.deepEqual(outcomes[0], { state: "silent", reason: "silent-after-updated", count: 9 });
});

test("one silent device holds its stage, stops nothing, and is counted again when it is back", async (t) => {
  const { fleet, devices, id, rollout } = await soaking(t, 6);
  const [lost, ...others] = devices as [TestDevice, ...TestDevice[]];
  await pass(fleet, 16, others);
  assert.deepEqual(await memberOf(fleet, id, lost.id), ["silent", "silent-after-updated"]);
  assert.equal((await fleet.api("GET", `/devices/${lost.id}`)).state, "silent");
  assert.equal((await rollout()).state, "running");
  assert.equal((await rollout()).stages[0].settledAtUnixMs, null);
  await lost.poll();
  assert.deepEqual(await memberOf(fleet, id, lost.id), ["updated", null]);
  assert.equal((await fleet.api("GET", `/devices/${lost.id}`)).state, "updated");
  assert.equal((await rollout()).stages[0].counts.silent, 0);
});

test("a silent device that comes back with the old image went back", async (t) => {
  const { fleet, devices, id } = await soaking(t, 3);
  const [lost, ...others] = devices as [TestDevice, ...TestDevice[]];
  await pass(fleet, 16, others);
  lost.runs(old.version, old.imageHash);
  await lost.poll();
  assert.deepEqual(await memberOf(fleet, id, lost.id), ["rolled-back", "runs-another-image"]);
});

test("a device that sleeps is missed after its next wake and the grace, not before", async (t) => {
  const { fleet, devices, id } = await soaking(t, 3);
  const [sleeper, ...others] = devices as [TestDevice, ...TestDevice[]];
  await sleeper.request("GET", "", { headers: { "sluice-next-wake": String(48 * hour) } });
  await pass(fleet, 48, others);
  assert.deepEqual(await memberOf(fleet, id, sleeper.id), ["updated", null]);
  await pass(fleet, 12, others);
  assert.deepEqual(await memberOf(fleet, id, sleeper.id), ["silent", "silent-after-updated"]);
});

test("a link that is seldom there has more time", async (t) => {
  const { fleet, devices, id } = await soaking(t, 3);
  const quiet = devices[0] as TestDevice;
  await pass(fleet, 8, devices.slice(1));
  await fleet.api("PATCH", `/devices/${quiet.id}`, { connectivity: "satellite" });
  await pass(fleet, 24, devices.slice(1));
  assert.deepEqual(
    await memberOf(fleet, id, quiet.id),
    ["updated", null],
    "satellites are patient",
  );
});

test("a finished rollout misses nobody any more", async (t) => {
  const stages = [{ percent: 100, soakSeconds: 60 }];
  const { fleet, devices, id, rollout } = await soaking(t, 2, { stages });
  await fleet.wait(0);
  await fleet.wait(61);
  assert.equal((await rollout()).state, "finished");
  await pass(fleet, 48, []);
  for (const device of devices)
    assert.deepEqual(await memberOf(fleet, id, device.id), ["updated", null]);
});
