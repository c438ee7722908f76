// A file of what an operator knows of many devices: all of it is taken, or nothing.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { createFleet } from "../../../../hosts/fleet/app.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { hardware, imageSigner, publicKeyPem, TestFleet } from "../test-fleet.ts";
import { fleetOf, memberOf, rollOut } from "./rollout-scene.ts";

const types = {
  csv: "text/csv",
  lines: "application/x-ndjson",
  array: "application/json",
} as const;

interface Sent {
  readonly query?: string;
  readonly form?: keyof typeof types;
}

async function send(
  fleet: TestFleet,
  file: string | Buffer,
  { query = "", form = "csv" }: Sent = {},
) {
  const answer = await fleet.inject({
    method: "POST",
    url: `/api/v1/registry?${query}`,
    headers: { host: "fleet.test", "content-type": types[form] },
    payload: file,
  });
  return { status: answer.statusCode, body: answer.json() };
}

/** A defect as `line column: value`. */
async function defectsOf(fleet: TestFleet, file: string | Buffer, sent: Sent = {}) {
  const { status, body } = await send(fleet, file, {
    query: "dryRun=false&register=true",
    ...sent,
  });
  assert.equal(status, 422, JSON.stringify(body));
  assert.equal(body.error, "file-invalid");
  return body.defects.map(
    ({ line, column, value }: { line: number; column: string | null; value: string | null }) =>
      `${line} ${column}: ${value}`,
  );
}

const apply = { query: "dryRun=false" };

for (const where of ["memory", "file"] as const)
  test(`tells what a file would do, does it when asked, and nothing the second time: ${where}`, async (t) => {
    const folder = temporaryFolder(t);
    const options = where === "file" ? { databaseFile: join(folder, "fleet.sqlite") } : {};
    const { fleet } = await fleetOf(t, 3, options);
    await fleet.api("PATCH", "/devices/device-0001", { region: "us", tags: { add: ["old"] } });
    const file = [
      "\uFEFFid,region,timezone,tags,groups",
      'device-0000,eu,Europe/Berlin,"b a",pilot',
      "device-0001,,,,",
      "device-0002,,,,",
      "",
    ].join("\r\n");
    const counts = { devices: 3, created: 0, changed: 2, unchanged: 1, cleared: 2 };
    assert.deepEqual((await send(fleet, file)).body, { applied: false, ...counts });
    assert.equal((await fleet.api("GET", "/devices/device-0000")).region, null);
    assert.deepEqual((await send(fleet, file, apply)).body, { applied: true, ...counts });
    const shown = await fleet.api("GET", "/devices/device-0000");
    assert.deepEqual(
      [shown.region, shown.timezone, shown.tags, shown.groups],
      ["eu", "Europe/Berlin", ["a", "b"], ["pilot"]],
    );
    assert.equal(shown.events[0].kind, "device-registry-set");
    const cleared = await fleet.api("GET", "/devices/device-0001");
    assert.deepEqual([cleared.region, cleared.tags], [null, []]);
    const again = { devices: 3, created: 0, changed: 0, unchanged: 3, cleared: 0 };
    assert.deepEqual((await send(fleet, file, apply)).body, { applied: true, ...again });
    const { items } = await fleet.api("GET", "/devices?filter=tag%3D%3Da;region%3D%3Deu");
    assert.equal(items.length, 1);
  });

test("takes unknown devices in only when told to, with their hardware", async (t) => {
  const { fleet } = await fleetOf(t, 1);
  const file = `id,hardware,region\nnew-1,${hardware},eu\nnew-2,${hardware},\n`;
  assert.deepEqual(await defectsOf(fleet, file, apply), ["2 id: new-1", "3 id: new-2"]);
  const told = await send(fleet, file, { query: "dryRun=false&register=true" });
  assert.deepEqual([told.body.created, told.body.applied], [2, true]);
  const shown = await fleet.api("GET", "/devices/new-1");
  assert.deepEqual([shown.hardware, shown.region, shown.state], [hardware, "eu", "unknown"]);
  assert.deepEqual(await defectsOf(fleet, "id,region\nnew-3,eu\n"), ["2 hardware: null"]);
  const metrics = (await fleet.inject({ url: "/metrics" })).body;
  assert.match(metrics, /sluice_devices 3\n/);
});

test("changes nothing when any line is wrong, and tells each by line, column and value", async (t) => {
  const { fleet } = await fleetOf(t, 2);
  const file = [
    "id,hardware,region,timezone,connectivity,criticality,tags",
    `device-0000,${hardware},eu,,,,`,
    "device-0001,,e u,Europe/Nowhere,pigeon,very,a b! c",
    "-bad,,,,,,",
    "device-0000,,,,,,",
    "device-0001,too,few",
    "a\u0007b,x-1,,,,,",
  ].join("\n");
  const told = await defectsOf(fleet, file);
  assert.deepEqual(told, ["6 null: 3"], "the shape goes first");
  const shaped = file.replace("device-0001,too,few\n", "");
  assert.deepEqual(await defectsOf(fleet, shaped), [
    "3 tags: b!",
    "3 region: e u",
    "3 timezone: Europe/Nowhere",
    "3 connectivity: pigeon",
    "3 criticality: very",
    "4 id: -bad",
    "5 id: device-0000",
    "6 id: a\u0007b",
  ]);
  assert.equal((await fleet.api("GET", "/devices/device-0000")).region, null);
});

test("knows one device in every spelling of its address", async (t) => {
  const fleet = await TestFleet.open(t);
  await fleet.addDevice("a0:b1:c2:d3:e4:f5");
  const spelled = `id,hardware\nA0-B1-C2-D3-E4-F5,${hardware}\n`;
  assert.deepEqual(await defectsOf(fleet, spelled), ["2 id: A0-B1-C2-D3-E4-F5"]);
  const twice = `id,hardware\n00:00:00:00:00:01,${hardware}\n000000000001,${hardware}\n`;
  assert.deepEqual(await defectsOf(fleet, twice), ["3 id: 000000000001"]);
});

test("refuses files that are none, each with its line", async (t) => {
  const { fleet } = await fleetOf(t, 1);
  const csv: Readonly<Record<string, string[]>> = {
    "": ["1 null: null"],
    "id,id\n": ["1 id: null"],
    "id,Region,region\n": ["1 region: null"],
    "id,nose\ndevice-0000,big\n": ["1 nose: null"],
    "region\neu\n": ["2 id: null"],
    'id,region\ndevice-0000,"eu\n': ["2 null: null"],
    'id,region\ndevice-0000,e"u\n': ["2 null: null"],
  };
  for (const [file, defects] of Object.entries(csv))
    assert.deepEqual(await defectsOf(fleet, file), defects, JSON.stringify(file));
  const utf16 = Buffer.from("\uFEFFid,region\n", "utf16le");
  assert.deepEqual(await defectsOf(fleet, utf16), ["1 null: null"]);
  const array: Readonly<Record<string, string[]>> = {
    "{}": ["1 null: null"],
    "[1]": ["1 null: null"],
    '[{"id":"device-0000","region":1}]': ["1 region: 1"],
    '[{"id":"device-0000","tags":"a"}]': ['1 tags: "a"'],
    '[{"id":"device-0000","__proto__":"a"}]': ["1 __proto__: null"],
    '[{"id":"device-0000","constructor":"a"}]': ["1 constructor: null"],
  };
  for (const [file, defects] of Object.entries(array))
    assert.deepEqual(await defectsOf(fleet, file, { form: "array" }), defects, file);
  const lines = '{"id":"device-0000"}\n\nnothing\n';
  assert.deepEqual(await defectsOf(fleet, lines, { form: "lines" }), ["3 null: null"]);
  const plain = await fleet.inject({
    method: "POST",
    url: "/api/v1/registry",
    headers: { host: "fleet.test", "content-type": "text/plain" },
    payload: "id\n",
  });
  assert.equal(plain.statusCode, 415);
});

test("reads semicolons, quotes, line ends and JSON as it reads commas", async (t) => {
  const { fleet } = await fleetOf(t, 1);
  const files: readonly (readonly [string, Sent["form"]])[] = [
    ['id;region;tags\r\n"device-0000"; "eu" ;"a;b"\r\n'.replace(' "eu" ', "eu"), "csv"],
    ["ID, Region, Tags\rdevice-0000, eu, a b\r", "csv"],
    ["tags\tregion\tid\na,b\teu\tdevice-0000", "csv"],
    ['{"id":"device-0000","region":"eu","tags":["b","a","a"]}', "lines"],
    ['[{"id":"device-0000","region":"eu","tags":["a","b"]}]', "array"],
  ];
  for (const [file, form = "csv"] of files) {
    await fleet.api("PATCH", "/devices/device-0000", {
      region: null,
      tags: { remove: ["a", "b"] },
    });
    const { status, body } = await send(fleet, file, { ...apply, form });
    assert.equal(status, 200, `${file} ${JSON.stringify(body)}`);
    const { region, tags } = await fleet.api("GET", "/devices/device-0000");
    assert.deepEqual([region, tags], ["eu", ["a", "b"]], file);
  }
});

test("decides about members again: who leaves the filter is withdrawn, who comes is offered", async (t) => {
  const { fleet, devices } = await fleetOf(t, 3);
  await fleet.publish({ version: "1.1.0" });
  await send(fleet, "id,region\ndevice-0000,eu\ndevice-0001,eu\n", apply);
  await rollOut(fleet, "1.1.0", { selector: { filter: "region==eu" } });
  assert.notEqual(await devices[0]?.offered(), null);
  await send(fleet, "id,region\ndevice-0000,us\ndevice-0001,us\ndevice-0002,eu\n", apply);
  for (const id of ["device-0000", "device-0001"])
    assert.deepEqual(await memberOf(fleet, 1, id), ["excluded", "not-selected"], id);
  assert.equal(await devices[0]?.offered(), null);
  assert.notEqual(await devices[2]?.offered(), null);
});

test("a hardware of the file goes before what the device says", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  await send(fleet, "id,hardware\ndevice-0000,esp32c6-a\n", apply);
  const body = { mode: "merge", data: { hardware } };
  await devices[0]?.request("PUT", "configData", { body });
  assert.equal((await fleet.api("GET", "/devices/device-0000")).hardware, "esp32c6-a");
});

async function restarted(t: TestContext, databaseFile: string, artifactsFolder: string) {
  const server = await createFleet({
    databaseFile,
    artifactsFolder,
    clock: { unixMs: () => Date.now() },
    imageKeys: [publicKeyPem(imageSigner)],
  });
  t.after(() => server.close());
  return server;
}

test("what was imported is there after a restart", async (t) => {
  const folder = temporaryFolder(t);
  const files = [join(folder, "fleet.sqlite"), join(folder, "artifacts")] as const;
  const file = `id,hardware,groups\n${Array.from({ length: 700 }, (_, index) => `d-${index},${hardware},g${index % 3}`).join("\n")}`;
  const first = await restarted(t, ...files);
  const answer = await first.app.inject({
    method: "POST",
    url: "/api/v1/registry?dryRun=false&register=true",
    headers: { "content-type": "text/csv" },
    payload: file,
  });
  assert.equal(answer.json().created, 700, answer.body);
  await first.close();
  const second = await restarted(t, ...files);
  const { items } = (
    await second.app.inject({ url: "/api/v1/registry?filter=group%3D%3Dg1" })
  ).json();
  assert.equal(items.length, 100);
  assert.deepEqual(items[0].groups, ["g1"]);
});
