// A release that a rollout brings to devices already is not brought to them by a second one without
// a word.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hardware, makeImage, type TestFleet } from "../test-fleet.ts";
import { allAtOnce, fleetOf, memberOf, old, rollOut } from "./rollout-scene.ts";

const anyShare = { rolledBackShare: 1, failedShare: 1, noLinkShare: 1 };

async function again(fleet: TestFleet, more: object = {}) {
  const payload = { name: "again", releaseVersion: "1.1.0", stages: allAtOnce, ...more };
  return fleet.inject({ method: "POST", url: "/api/v1/rollouts", payload });
}

async function refused(fleet: TestFleet, message: RegExp, more: object = {}): Promise<void> {
  const answer = await again(fleet, more);
  assert.deepEqual([answer.statusCode, answer.json().error], [409, "overlaps"], answer.body);
  assert.match(answer.json().message, message);
}

async function taken(fleet: TestFleet, more: object = {}): Promise<void> {
  const answer = await again(fleet, more);
  assert.equal(answer.statusCode, 201, answer.body);
}

test("a second rollout of a release to the same devices is refused with the first one's number and name", async (t) => {
  const { fleet } = await fleetOf(t, 3);
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0", { name: "first" });
  const { message } = (await again(fleet)).json();
  assert.equal(
    message,
    'rollout 1 ("first", running) brings release 1.1.0 to 3 of these devices already: ' +
      '"sluice rollout show 1" goes on with it, "sluice rollout cancel 1" ends it; ' +
      "choose other devices (--hardware, --device), or plan one more beside it all the same (--beside)",
  );
  assert.equal((await fleet.api("GET", "/rollouts")).items.length, 1);
  await taken(fleet, { beside: true });
});

for (const [state, step, route] of [
  ["ready", "start", null],
  ["paused", "resume", "pause"],
] as const)
  test(`a rollout that is ${state} counts, and its next step is "${step}"`, async (t) => {
    const { fleet } = await fleetOf(t, 2);
    await fleet.publish({ version: "1.1.0" });
    await rollOut(fleet, "1.1.0", { start: state !== "ready" });
    if (route !== null) await fleet.api("POST", `/rollouts/1/${route}`);
    await refused(fleet, new RegExp(`, ${state}\\) .*"sluice rollout ${step} 1"`));
  });

test("a halt is not worked around by another rollout of the release", async (t) => {
  const { fleet, devices } = await fleetOf(t, 3);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0");
  for (const device of devices.slice(0, 2))
    await device.rollsBack({ version: "1.1.0", imageHash }, old);
  await refused(
    fleet,
    /rollout 1 .*halted\) .* to one of these devices .*"sluice rollout resume 1"/,
  );
  await fleet.api("POST", "/rollouts/1/cancel");
  await taken(fleet);
});

test("one that is finished or cancelled is no obstacle", async (t) => {
  const { fleet, devices } = await fleetOf(t, 2);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0");
  for (const device of devices) await device.updates("1.1.0", imageHash);
  await fleet.wait(1);
  const late = await fleet.addDevice("late");
  late.runs(old.version, old.imageHash);
  await late.poll();
  await taken(fleet, { start: true });
  assert.deepEqual(await memberOf(fleet, 2, "late"), ["waiting", null]);
  await fleet.api("POST", "/rollouts/2/cancel");
  await taken(fleet);
});

test("other devices, other hardware and another release go beside it", async (t) => {
  const { fleet, devices } = await fleetOf(t, 2);
  const [one, other] = devices;
  assert.ok(one && other);
  await fleet.publish({ version: "1.1.0" });
  await fleet.publish({ version: "1.2.0", fill: 2 });
  await rollOut(fleet, "1.1.0", { selector: { devices: [one.id] } });
  await refused(fleet, /to one of these devices/);
  await taken(fleet, { selector: { devices: [other.id] } });
  await taken(fleet, { releaseVersion: "1.2.0" });
  await fleet.addDevice("other-hardware", "esp32c6-a");
  const image = await makeImage({ version: "1.1.0", hardware: "esp32c6-a", fill: 7 });
  assert.equal((await fleet.publishBytes(image.bytes)).statusCode, 201);
  await taken(fleet, { selector: { hardware: ["esp32c6-a"] } });
  await refused(fleet, /to one of these devices already, and 1 other open one does too/, {
    selector: { hardware: [hardware] },
  });
});

test("a device that the first one would take in at its next contact counts", async (t) => {
  const { fleet } = await fleetOf(t, 1);
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0");
  await fleet.addDevice("newcomer");
  await refused(fleet, /to one of these devices/, { selector: { devices: ["newcomer"] } });
});

test("what the first one is through with, or may not take, does not count", async (t) => {
  const { fleet, devices } = await fleetOf(t, 3);
  const [back, elder] = devices;
  assert.ok(back && elder);
  elder.runs("2.0.0", "b".repeat(64));
  await elder.poll();
  const imageHash = await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0", { haltThreshold: anyShare });
  await back.rollsBack({ version: "1.1.0", imageHash }, old);
  await taken(fleet, { selector: { devices: [back.id] }, retryRolledBack: true });
  const downgrade = { allowDowngrade: true, approved: true };
  await taken(fleet, { selector: { devices: [elder.id] }, ...downgrade });
  await refused(
    fleet,
    /rollout 1 .* to one of these devices already, and 1 other open one does too:/,
    {
      ...downgrade,
      haltThreshold: anyShare,
    },
  );
});

test("beyond the last stage of the first one there are devices for a second one", async (t) => {
  const { fleet, devices } = await fleetOf(t, 20);
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0", { stages: [{ percent: 25, soakSeconds: 0 }] });
  const members = (await fleet.api("GET", "/rollouts/1/devices")).items;
  const inFirst = new Set(members.map(({ deviceId }: { deviceId: string }) => deviceId));
  await refused(fleet, /rollout 1/, { selector: { devices: [members[0].deviceId] } });
  let outside = 0;
  for (const device of devices) {
    if (inFirst.has(device.id)) continue;
    const answer = await again(fleet, { selector: { devices: [device.id] } });
    if (answer.statusCode === 201) outside += 1;
    await device.poll();
    // By its share of the hash space, a device can still get into the first one.
    const joins = (await memberOf(fleet, 1, device.id)) !== null;
    assert.equal(answer.statusCode, joins ? 409 : 201, device.id);
  }
  assert.ok(outside > 0);
});

test("two that are asked for at once make one", async (t) => {
  const { fleet } = await fleetOf(t, 2);
  await fleet.publish({ version: "1.1.0" });
  const answers = await Promise.all([1, 2, 3].map(() => again(fleet, { start: true })));
  assert.deepEqual(answers.map(({ statusCode }) => statusCode).sort(), [201, 409, 409]);
});
