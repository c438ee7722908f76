import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { groupsWithWindowsMax } from "../../../../hosts/fleet/operations/group-windows.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { TestFleet } from "../test-fleet.ts";

/** The servers of the tests start on Friday, 2027-01-15, at 08:00 UTC. */
const evening = [{ days: ["fri"], start: "18:00", minutes: 60 }];
const stages = [{ percent: 100, soakSeconds: 60 }];
const inUtc = (hour: number): number => Date.UTC(2027, 0, 15, hour);

async function scene(fleet: TestFleet) {
  const ward = await fleet.addDevice("ward");
  const lamp = await fleet.addDevice("lamp");
  for (const device of [ward, lamp]) {
    device.runs("1.0.0", "0a".repeat(32));
    await device.poll();
    await fleet.api("PATCH", `/devices/${device.id}`, { timezone: "Asia/Tokyo" });
  }
  await fleet.api("PATCH", "/devices/ward", { groups: { add: ["hospital"] } });
  await fleet.publish({ version: "1.1.0" });
  const rollout = { name: "r", releaseVersion: "1.1.0", stages, start: true };
  await fleet.api("POST", "/rollouts", rollout);
  const offered = async () => [(await ward.offered()) !== null, (await lamp.offered()) !== null];
  return { ward, lamp, offered };
}

const windows = { timeZone: "device", download: evening };

test("every rollout respects the windows of a group, those included that are under way", async (t) => {
  const fleet = await TestFleet.open(t);
  await fleet.api("PUT", "/windows/hospital", windows);
  const { offered } = await scene(fleet);
  assert.deepEqual(await offered(), [false, true]);
  fleet.nowUnixMs = inUtc(9); // 18:00 in Tokyo
  assert.deepEqual(await offered(), [true, true]);
  fleet.nowUnixMs = inUtc(10);
  assert.deepEqual(await offered(), [false, true]);
  await fleet.api("DELETE", "/windows/hospital");
  assert.deepEqual(await offered(), [true, true]);
  await fleet.api("PUT", "/windows/hospital", { timeZone: "UTC0", download: [] });
  assert.deepEqual(await offered(), [false, true]);
});

test("a device that joins or leaves the group is told at its next poll", async (t) => {
  const fleet = await TestFleet.open(t);
  const { offered } = await scene(fleet);
  await fleet.api("PUT", "/windows/hospital", windows);
  assert.deepEqual(await offered(), [false, true]);
  await fleet.api("PATCH", "/devices/ward", { groups: { remove: ["hospital"] } });
  await fleet.api("PATCH", "/devices/lamp", { groups: { add: ["hospital"] } });
  assert.deepEqual(await offered(), [true, false]);
});

test("sets, shows, lists and removes windows, and tells each change", async (t) => {
  const fleet = await TestFleet.open(t);
  const put = (payload: object) =>
    fleet.inject({ method: "PUT", url: "/api/v1/windows/hospital", payload });
  const first = await put({ ...windows, note: "by night" });
  assert.equal(first.statusCode, 201);
  const shown = { group: "hospital", windows, changedAtUnixMs: inUtc(8) };
  assert.deepEqual(first.json(), shown);
  assert.deepEqual(await fleet.api("GET", "/windows/hospital"), shown);
  fleet.nowUnixMs += 1000;
  const second = await put({ timeZone: "UTC0", install: [] });
  assert.equal(second.statusCode, 200);
  await fleet.api("PUT", "/windows/canary", windows);
  const { items } = await fleet.api("GET", "/windows");
  assert.deepEqual(
    items.map(({ group, changedAtUnixMs }: typeof shown) => [group, changedAtUnixMs]),
    [
      ["canary", inUtc(8) + 1000],
      ["hospital", inUtc(8) + 1000],
    ],
  );
  await fleet.api("DELETE", "/windows/hospital");
  for (const method of ["GET", "DELETE"] as const) {
    const gone = await fleet.inject({ method, url: "/api/v1/windows/hospital" });
    assert.deepEqual([gone.statusCode, gone.json().error], [404, "unknown-windows"]);
  }
  const { items: events } = await fleet.api("GET", "/events");
  const kinds = events.map(({ kind }: { kind: string }) => kind);
  assert.deepEqual(kinds, [
    "group-windows-set",
    "group-windows-set",
    "group-windows-set",
    "group-windows-removed",
  ]);
});

test("the windows of groups survive a restart of the server", async (t) => {
  const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
  const fleet = await TestFleet.open(t, { databaseFile });
  const { ward } = await scene(fleet);
  await fleet.api("PUT", "/windows/hospital", windows);
  await fleet.server.close();
  const again = await TestFleet.open(t, { databaseFile });
  assert.equal(await ward.on(again).offered(), null);
  again.nowUnixMs = inUtc(9);
  assert.notEqual(await ward.on(again).offered(), null);
});

test(`at most ${groupsWithWindowsMax} groups have windows; those may be changed still`, async (t) => {
  const fleet = await TestFleet.open(t);
  for (let index = 0; index < groupsWithWindowsMax; index += 1)
    await fleet.api("PUT", `/windows/group-${index}`, windows);
  const put = (group: string) =>
    fleet.inject({ method: "PUT", url: `/api/v1/windows/${group}`, payload: windows });
  const refused = await put("one-more");
  assert.deepEqual([refused.statusCode, refused.json().error], [403, "too-many-windows"]);
  assert.equal((await put("group-3")).statusCode, 200);
});

for (const [name, bad, says] of [
  ["groups in it", { ...windows, groups: {} }, /no `groups` in them/],
  ["neither step", { timeZone: "UTC0" }, /neither `download` nor `install`/],
  ["no zone", { install: evening }, /timeZone of the windows is time-zone-missing/],
  [
    "a day that is none",
    { timeZone: "UTC0", install: [{ ...evening[0], days: ["feierabend"] }] },
    /install\[0\]\.days of the windows is malformed-days/,
  ],
] as const)
  test(`refuses the windows of a group with ${name}`, async (t) => {
    const fleet = await TestFleet.open(t);
    const url = "/api/v1/windows/hospital";
    const answer = await fleet.inject({ method: "PUT", url, payload: bad });
    assert.deepEqual([answer.statusCode, answer.json().error], [422, "windows-invalid"]);
    assert.match(answer.json().message, says);
  });
