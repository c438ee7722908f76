// What is known of a device beside what it runs: the operator's word, else the device's own.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { temporaryFolder } from "../../../support/command-line.ts";
import { type TestDevice, TestFleet } from "../test-fleet.ts";

async function scene(t: TestContext) {
  const fleet = await TestFleet.open(t);
  const device = await fleet.addDevice("lamp");
  const show = async () => fleet.api("GET", "/devices/lamp");
  const list = async (filter: string): Promise<string[]> => {
    const { items } = await fleet.api("GET", `/devices?filter=${encodeURIComponent(filter)}`);
    return items.map(({ id }: { id: string }) => id);
  };
  return { fleet, device, show, list };
}

function tells(device: TestDevice, data: Record<string, string>, mode = "merge") {
  return device.request("PUT", "configData", { body: { mode, data } });
}

test("what a device tells counts until an operator says otherwise, and again afterwards", async (t) => {
  const { fleet, device, show, list } = await scene(t);
  await tells(device, {
    region: "eu",
    battery: "55.5",
    signal: "-71",
    "sluice-timezone": "Europe/Berlin",
  });
  const { region, battery, signal, timezone } = await show();
  assert.deepEqual([region, battery, signal, timezone], ["eu", 55.5, -71, "Europe/Berlin"]);
  await fleet.api("PATCH", "/devices/lamp", { region: "us" });
  await tells(device, { region: "asia" });
  assert.equal((await show()).region, "us");
  assert.deepEqual(await list("region==us"), ["lamp"]);
  await fleet.api("PATCH", "/devices/lamp", { region: null });
  assert.equal((await show()).region, "asia");
  await tells(device, {}, "replace");
  assert.equal((await show()).region, null);
  assert.deepEqual(await list("region=is=null"), ["lamp"]);
});

test("a name of ours goes before the plain one, and a value that is none is as if nobody told it", async (t) => {
  const { device, show } = await scene(t);
  await tells(device, {
    region: "plain",
    "sluice-region": "ours",
    timezone: "Mars/Olympus",
    battery: "101",
    signal: "loud",
    connectivity: "lan",
    criticality: "high",
  });
  const shown = await show();
  assert.equal(shown.region, "ours");
  assert.equal(shown.criticality, "high");
  for (const field of ["timezone", "battery", "signal", "connectivity"])
    assert.equal(shown[field], null, field);
});

test("tags and groups are the operator's alone", async (t) => {
  const { fleet, device, show, list } = await scene(t);
  await tells(device, {
    tag: "free",
    tags: "free",
    group: "canary",
    groups: "canary",
    "sluice-group": "canary",
  });
  assert.deepEqual((await show()).groups, []);
  assert.deepEqual(await list("group==canary"), []);
  await fleet.api("PATCH", "/devices/lamp", {
    tags: { add: ["b", "a", "a"] },
    groups: { add: ["pilot"] },
  });
  await fleet.api("PATCH", "/devices/lamp", { tags: { add: ["c"], remove: ["b", "unknown"] } });
  assert.deepEqual([(await show()).tags, (await show()).groups], [["a", "c"], ["pilot"]]);
  assert.deepEqual(await list("tag==c;group==pilot"), ["lamp"]);
  assert.deepEqual(await list("tag==b"), []);
});

test("a change is taken whole or not at all", async (t) => {
  const { fleet, show } = await scene(t);
  const patch = (payload: object) =>
    fleet.inject({ method: "PATCH", url: "/api/v1/devices/lamp", payload });
  const bad = await patch({ tags: { add: ["a"] }, region: "eu", timezone: "Mars/Olympus" });
  assert.equal(bad.statusCode, 422, bad.body);
  assert.match(
    bad.json().message,
    /timezone is an IANA name, such as Europe\/Berlin, not "Mars\/Olympus"/,
  );
  const many = Array.from({ length: 64 }, (_, index) => `tag-${index}`);
  assert.equal((await patch({ tags: { add: many } })).statusCode, 200);
  const more = await patch({ region: "eu", tags: { add: ["one-more"] } });
  assert.equal(more.statusCode, 422);
  assert.match(more.json().message, /at most 64 tags, and lamp would have 65/);
  const shown = await show();
  assert.deepEqual([shown.region, shown.tags.length], [null, 64]);
  for (const payload of [
    { regoin: "eu" },
    { tags: ["a"] },
    { tags: { add: ["a b"] } },
    { battery: 5 },
  ])
    assert.equal((await patch(payload)).statusCode, 400, JSON.stringify(payload));
  const unknown = await fleet.inject({
    method: "PATCH",
    url: "/api/v1/devices/nobody",
    payload: { region: "eu" },
  });
  assert.equal(unknown.statusCode, 404);
});

test("a filter that cannot be read is refused with its column", async (t) => {
  const { fleet } = await scene(t);
  const url = `/api/v1/devices?filter=${encodeURIComponent("region==eu;version=lt=new")}`;
  const answer = await fleet.inject({ method: "GET", url });
  assert.equal(answer.statusCode, 422);
  assert.equal(answer.json().error, "filter-invalid");
  assert.match(answer.json().message, /column 23: "new" is no version/);
});

test("a filter works beside the plain parameters and over pages", async (t) => {
  const { fleet } = await scene(t);
  for (let index = 0; index < 12; index += 1) {
    await fleet.addDevice(`d-${String(index).padStart(2, "0")}`);
    if (index % 2 === 0)
      await fleet.api("PATCH", `/devices/d-${String(index).padStart(2, "0")}`, { region: "eu" });
  }
  const found: string[] = [];
  for (let after = ""; ; ) {
    const page = await fleet.api(
      "GET",
      `/devices?state=unknown&limit=2&filter=region%3D%3Deu${after}`,
    );
    found.push(...page.items.map(({ id }: { id: string }) => id));
    if (page.next === null) break;
    after = `&after=${page.next}`;
  }
  assert.deepEqual(found, ["d-00", "d-02", "d-04", "d-06", "d-08", "d-10"]);
});

test("what a device runs is compared as a version", async (t) => {
  const { device, list } = await scene(t);
  device.runs("1.10.0", "0a".repeat(32));
  await device.poll();
  assert.deepEqual(await list("version>1.9.0"), ["lamp"]);
  assert.deepEqual(await list("version<1.9.0"), []);
});

test("the registry survives a restart, and goes with the device", async (t) => {
  const folder = temporaryFolder(t);
  const options = { databaseFile: join(folder, "fleet.sqlite"), artifactsFolder: folder };
  const first = await TestFleet.open(t, options);
  await first.addDevice("lamp");
  await first.api("PATCH", "/devices/lamp", { region: "eu", tags: { add: ["a"] } });
  await first.server.close();
  const fleet = await TestFleet.open(t, options, 10);
  const shown = await fleet.api("GET", "/devices/lamp");
  assert.deepEqual([shown.region, shown.tags], ["eu", ["a"]]);
  await fleet.api("DELETE", "/devices/lamp");
  await fleet.addDevice("lamp");
  const anew = await fleet.api("GET", "/devices/lamp");
  assert.deepEqual([anew.region, anew.tags], [null, []]);
});
