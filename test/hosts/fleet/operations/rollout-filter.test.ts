// Who passes the filter of a rollout gets the release, for as long as it passes.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../../support/command-line.ts";
import { TestFleet } from "../test-fleet.ts";
import { fleetOf, memberOf, old, rollOut } from "./rollout-scene.ts";

async function inRegion(fleet: TestFleet, id: string, region: string | null): Promise<void> {
  await fleet.api("PATCH", `/devices/${id}`, { region });
}

const filtered = (filter: string) => ({ selector: { filter } });

test("plans those that pass, and tells how many do not when nobody does", async (t) => {
  const { fleet, devices } = await fleetOf(t, 6);
  for (const device of devices.slice(0, 4)) await inRegion(fleet, device.id, "eu");
  await fleet.publish({ version: "1.1.0" });
  const rollout = await rollOut(fleet, "1.1.0", filtered("region==eu;version<1.1"));
  assert.equal(rollout.eligible, 4);
  assert.equal(rollout.definition.selector.filter, "region==eu;version<1.1");
  for (const [index, device] of devices.entries())
    assert.equal((await device.offered()) !== null, index < 4, device.id);
  const none = await fleet.inject({
    method: "POST",
    url: "/api/v1/rollouts",
    payload: { name: "x", releaseVersion: "1.1.0", ...filtered("region==mars") },
  });
  assert.equal(none.statusCode, 409);
  assert.match(none.json().message, /that pass the filter.*6 not-selected/);
});

test("takes in who comes to pass, and who is added and passes", async (t) => {
  const { fleet, devices } = await fleetOf(t, 2);
  const [first, second] = devices;
  assert.ok(first && second);
  await inRegion(fleet, first.id, "eu");
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0", filtered("region==eu"));
  assert.equal(await second.offered(), null);
  await inRegion(fleet, second.id, "eu");
  assert.notEqual(await second.offered(), null);
  const late = await fleet.addDevice("late");
  late.runs(old.version, old.imageHash);
  assert.equal(await late.offered(), null);
  await late.request("PUT", "configData", { body: { mode: "merge", data: { region: "eu" } } });
  assert.notEqual(await late.offered(), null, "by its own word");
});

test("takes an offer back from who does not pass any more, before the activation", async (t) => {
  const { fleet, devices } = await fleetOf(t, 3);
  const [offered, begun, trying] = devices;
  assert.ok(offered && begun && trying);
  for (const device of devices)
    await fleet.api("PATCH", `/devices/${device.id}`, { tags: { add: ["go"] } });
  const imageHash = await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0", filtered("tag==go"));
  await offered.offered();
  await begun.feedback((await begun.offered()) ?? 0, "download", "none", ["state=downloading"]);
  await trying.installs("1.1.0", imageHash);
  for (const device of devices)
    await fleet.api("PATCH", `/devices/${device.id}`, { tags: { remove: ["go"] } });
  for (const device of [offered, begun]) {
    assert.equal(await device.offered(), null);
    assert.deepEqual(await memberOf(fleet, 1, device.id), ["excluded", "not-selected"]);
  }
  trying.runs("1.1.0", imageHash);
  await trying.poll();
  assert.deepEqual(await memberOf(fleet, 1, trying.id), ["updated", null]);
  await fleet.api("PATCH", `/devices/${offered.id}`, { tags: { add: ["go"] } });
  assert.notEqual(await offered.offered(), null, "and comes back when it passes again");
});

test("a version in the filter does not take back what the rollout brought", async (t) => {
  const { fleet, devices } = await fleetOf(t, 2);
  const imageHash = await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0", filtered("version<1.1.0"));
  for (const device of devices) await device.updates("1.1.0", imageHash);
  for (const device of devices)
    assert.deepEqual(await memberOf(fleet, 1, device.id), ["updated", null]);
});

test("two rollouts of a release whose filters take different devices do not overlap", async (t) => {
  const { fleet, devices } = await fleetOf(t, 4);
  for (const [index, device] of devices.entries())
    await inRegion(fleet, device.id, index < 2 ? "eu" : "us");
  await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0", filtered("region==eu"));
  await rollOut(fleet, "1.1.0", { ...filtered("region==us"), name: "us" });
  const answer = await fleet.inject({
    method: "POST",
    url: "/api/v1/rollouts",
    payload: { name: "all", releaseVersion: "1.1.0" },
  });
  assert.equal(answer.statusCode, 409);
  assert.equal(answer.json().error, "overlaps");
});

test("refuses a filter that cannot be read, or asks for what offers change", async (t) => {
  const { fleet } = await fleetOf(t, 1);
  await fleet.publish({ version: "1.1.0" });
  for (const [filter, message] of [
    ["region=eu", /column 7: expected an operator/],
    ["tag==a;state==idle", /column 8: a rollout cannot ask for state, which its own offers change/],
    ["seen<-7d", /cannot ask for seen/],
    ["(tag==a,reason==x)", /cannot ask for reason/],
  ] as const) {
    const answer = await fleet.inject({
      method: "POST",
      url: "/api/v1/rollouts",
      payload: { name: "x", releaseVersion: "1.1.0", ...filtered(filter) },
    });
    assert.equal(answer.statusCode, 422, answer.body);
    assert.equal(answer.json().error, "filter-invalid");
    assert.match(answer.json().message, message);
  }
  assert.deepEqual((await fleet.api("GET", "/rollouts")).items, []);
});

test("the filter goes on after a restart of the server", async (t) => {
  const folder = temporaryFolder(t);
  const files = { databaseFile: join(folder, "fleet.sqlite"), artifactsFolder: join(folder, "a") };
  const { fleet: first, devices } = await fleetOf(t, 2, files);
  await inRegion(first, devices[0]?.id ?? "", "eu");
  await first.publish({ version: "1.1.0" });
  await rollOut(first, "1.1.0", filtered("region==eu"));
  await first.server.close();
  const fleet = await TestFleet.open(t, files, 10);
  const [inside, outside] = devices.map((device) => device.on(fleet));
  assert.ok(inside && outside);
  assert.equal(await outside.offered(), null);
  assert.notEqual(await inside.offered(), null);
  await inRegion(fleet, inside.id, null);
  assert.equal(await inside.offered(), null);
});
