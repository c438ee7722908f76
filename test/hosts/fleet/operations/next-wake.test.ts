import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { sleepMsOf } from "../../../../hosts/fleet/terms/next-wake.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { type TestDevice, TestFleet } from "../test-fleet.ts";
import { fleetOf, memberOf, rollOut } from "./rollout-scene.ts";

const hour = 3600;

async function tells(device: TestDevice, attributes: Record<string, string>): Promise<void> {
  const body = { mode: "merge", data: attributes };
  assert.equal((await device.request("PUT", "configData", { body })).statusCode, 200);
}

async function contactOf(fleet: TestFleet, { id }: TestDevice) {
  const { contact, nextWakeAtUnixMs: at } = await fleet.api("GET", `/devices/${id}`);
  return [contact, at === null ? null : (at - fleet.nowUnixMs) / 1000];
}

const unixMs = Date.UTC(2026, 10, 30, 12);

for (const [text, seconds] of [
  ["0", 0],
  ["3600", 3600],
  ["31622400", 31_622_400],
  ["31622401", null],
  ["-1", null],
  ["1.5", null],
  ["1e3", null],
  ["", null],
  [" 60", null],
  ["2026-11-30T13:00:00Z", 3600],
  ["2026-11-30T13:00Z", 3600],
  ["2026-11-30T14:00:00.250+01:00", 3600.25],
  ["2026-11-30T11:00:00Z", 0],
  ["2026-11-30T13:00:00", null],
  ["2026-13-30T13:00:00Z", null],
  ["2036-11-30T13:00:00Z", null],
  ["tomorrow", null],
] as const)
  test(`a next wake of "${text}" is ${seconds === null ? "none" : `in ${seconds} s`}`, () => {
    assert.equal(sleepMsOf(text, unixMs), seconds === null ? null : seconds * 1000);
  });

test("a device that announced its next wake is asleep until then, and silent after a grace", async (t) => {
  const fleet = await TestFleet.open(t);
  const device = await fleet.addDevice("lamp");
  await device.poll();
  assert.deepEqual(await contactOf(fleet, device), [null, null]);
  await tells(device, { "sluice-next-wake": String(6 * hour) });
  assert.deepEqual(await contactOf(fleet, device), ["asleep", 6 * hour]);
  await fleet.wait(6 * hour + 0.1 * 6 * hour);
  assert.deepEqual((await contactOf(fleet, device))[0], "asleep", "late, but within the grace");
  await fleet.wait(16 * 60);
  assert.deepEqual((await contactOf(fleet, device))[0], "silent");
  await device.poll();
  assert.deepEqual(await contactOf(fleet, device), [null, null], "it is back, and told nothing");
});

test("a device that stays awake for a while keeps what it announced", async (t) => {
  const fleet = await TestFleet.open(t);
  const device = await fleet.addDevice("lamp");
  await tells(device, { "next-wake": "3600" });
  await fleet.wait(60);
  await device.poll();
  assert.deepEqual(await contactOf(fleet, device), ["asleep", 3540]);
  await tells(device, { "next-wake": "whenever" });
  assert.deepEqual(await contactOf(fleet, device), ["asleep", 3540]);
  await tells(device, { "next-wake": "0" });
  assert.deepEqual(await contactOf(fleet, device), [null, null]);
});

test("no step of the wall clock wakes a device, or makes it silent", async (t) => {
  const fleet = await TestFleet.open(t);
  const device = await fleet.addDevice("lamp");
  await tells(device, { "next-wake": "3600" });
  await fleet.step(30 * 24 * hour);
  assert.equal((await contactOf(fleet, device))[0], "asleep");
  await fleet.step(-60 * 24 * hour);
  await fleet.wait(2 * hour);
  assert.equal((await contactOf(fleet, device))[0], "silent");
});

test("a poll announces by a header, which costs no write of its own and outlives a restart", async (t) => {
  const folder = temporaryFolder(t);
  const databaseFile = join(folder, "fleet.sqlite");
  const options = { databaseFile, artifactsFolder: join(folder, "artifacts") };
  const fleet = await TestFleet.open(t, options);
  const device = await fleet.addDevice("lamp");
  await device.poll();
  await fleet.wait(1);
  const looking = new DatabaseSync(databaseFile, { readOnly: true });
  t.after(() => looking.close());
  const version = () => looking.prepare("pragma data_version").get();
  const before = version();
  for (const seconds of [7200, 7199, 7198])
    await device.request("GET", "", { headers: { "sluice-next-wake": String(seconds) } });
  assert.deepEqual(version(), before);
  assert.deepEqual(await contactOf(fleet, device), ["asleep", 7198]);
  await fleet.server.tick();
  assert.notDeepEqual(version(), before, "it is written with the last contacts");
  const ids = async (filter: string): Promise<string[]> =>
    (await fleet.api("GET", `/devices?filter=${encodeURIComponent(filter)}`)).items.map(
      ({ id }: { id: string }) => id,
    );
  assert.deepEqual(await ids("wake>-0s"), ["lamp"]);
  assert.deepEqual(await ids("wake<-15m"), []);
  await fleet.server.close();
  const again = await TestFleet.open(t, options, 60);
  const { items } = await again.api("GET", "/devices");
  assert.equal(items[0].contact, "asleep");
  assert.equal(items[0].nextWakeAtUnixMs, fleet.nowUnixMs + 7_198_000);
});

test("a device that sleeps has until its next wake to prove what it runs, and no longer", async (t) => {
  const { fleet, devices } = await fleetOf(t, 2);
  const imageHash = await fleet.publish({ version: "2.0.0" });
  const { id } = await rollOut(fleet, "2.0.0", { approved: true, proofSeconds: hour });
  const [sleeper, liar] = devices as [TestDevice, TestDevice];
  for (const device of devices) {
    const actionId = (await device.offered()) ?? 0;
    await device.feedback(actionId, "proceeding", "none", ["state=activating"]);
    await tells(device, { "next-wake": String(24 * hour) });
  }
  await fleet.wait(23 * hour);
  for (const { id: device } of devices)
    assert.deepEqual(await memberOf(fleet, id, device), ["activating", null]);
  sleeper.runs("2.0.0", imageHash);
  await sleeper.poll();
  assert.deepEqual(await memberOf(fleet, id, sleeper.id), ["updated", null]);
  await fleet.wait(2 * hour);
  await liar.poll();
  await tells(liar, { "next-wake": String(24 * hour) });
  await fleet.wait(3 * hour);
  assert.deepEqual(await memberOf(fleet, id, liar.id), ["unproven", "silent-after-activating"]);
});
