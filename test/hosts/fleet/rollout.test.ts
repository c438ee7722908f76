import assert from "node:assert/strict";
import { test } from "node:test";
import { type TestDevice, TestFleet } from "./test-fleet.ts";

const oldHash = "0a".repeat(32);
const stages = [
  { percent: 10, soakSeconds: 60 },
  { percent: 100, soakSeconds: 60 },
];

async function fleetOfTwenty(context: Parameters<typeof TestFleet.open>[0]): Promise<{
  fleet: TestFleet;
  devices: TestDevice[];
  imageHash: string;
}> {
  const fleet = await TestFleet.open(context);
  const devices = await fleet.addDevices(20);
  for (const device of devices) device.runs("1.0.0", oldHash);
  for (const device of devices) await device.poll();
  const imageHash = await fleet.publish({ version: "1.1.0" });
  return { fleet, devices, imageHash };
}

async function offeredOf(devices: readonly TestDevice[]): Promise<TestDevice[]> {
  const found: TestDevice[] = [];
  for (const device of devices) if ((await device.offered()) !== null) found.push(device);
  return found;
}

test("offers the release to the first stage alone, and to the rest after the soak", async (t) => {
  const { fleet, devices, imageHash } = await fleetOfTwenty(t);
  const created = await fleet.api("POST", "/rollouts", {
    name: "spring",
    releaseVersion: "1.1.0",
    stages,
    start: true,
  });
  const first = await offeredOf(devices);
  assert.equal(first.length, 2);
  for (const device of first) await device.updates("1.1.0", imageHash);
  await fleet.wait(59);
  assert.equal((await offeredOf(devices)).length, 0);
  await fleet.wait(1);
  const second = await offeredOf(devices);
  assert.equal(second.length, 18);
  for (const device of second) await device.updates("1.1.0", imageHash);
  await fleet.wait(60);
  const done = await fleet.api("GET", `/rollouts/${created.id}`);
  assert.equal(done.state, "finished");
  assert.deepEqual(
    done.stages.map((stage: { counts: { updated: number } }) => stage.counts.updated),
    [2, 18],
  );
});

test("halts when a device of the first stage rolls back, and offers nothing more", async (t) => {
  const { fleet, devices, imageHash } = await fleetOfTwenty(t);
  const created = await fleet.api("POST", "/rollouts", {
    name: "bad",
    releaseVersion: "1.1.0",
    stages,
    start: true,
  });
  const [bad, other] = await offeredOf(devices);
  assert.ok(bad && other);
  await bad.rollsBack({ version: "1.1.0", imageHash }, { version: "1.0.0", imageHash: oldHash });
  assert.equal((await fleet.api("GET", `/rollouts/${created.id}`)).state, "halted");
  assert.equal((await offeredOf(devices)).length, 0);
  const { cancelAction } = await other.poll();
  assert.ok(cancelAction);
});
