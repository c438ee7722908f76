import assert from "node:assert/strict";
import { join } from "node:path";
import { StatementSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { FleetOptions } from "../../../../hosts/fleet/options.ts";
import { parseDeployment } from "../../../../src/protocol/ddi.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { type ImageWishes, type TestDevice, TestFleet } from "../test-fleet.ts";

/** The servers of the tests start on Friday, 2027-01-15, at 08:00 UTC. */
const evening = [{ days: ["fri"], start: "18:00", minutes: 60 }];
const stages = [{ percent: 100, soakSeconds: 60 }];
const inUtc = (hour: number, day = 15): number => Date.UTC(2027, 0, day, hour);

interface Scene {
  readonly windows: object;
  readonly options?: Partial<FleetOptions>;
  readonly release?: Partial<ImageWishes>;
}

async function scene(
  context: TestContext,
  timezones: Readonly<Record<string, string | null>>,
  { windows, options = {}, release = {} }: Scene,
) {
  const fleet = await TestFleet.open(context, options);
  const devices: TestDevice[] = [];
  for (const [id, timezone] of Object.entries(timezones)) {
    const device = await fleet.addDevice(id);
    device.runs("1.0.0", "0a".repeat(32));
    await device.poll();
    if (timezone !== null) await fleet.api("PATCH", `/devices/${id}`, { timezone });
    devices.push(device);
  }
  await fleet.publish({ version: "1.1.0", ...release });
  const wanted = { name: "r", releaseVersion: "1.1.0", stages, start: true, windows };
  await fleet.api("POST", "/rollouts", wanted);
  const show = async () => (await fleet.api("GET", "/rollouts/1")).windows;
  return { fleet, devices, show };
}

/** What the device is told at its next poll: nothing, to download, or to install as well. */
async function told(device: TestDevice): Promise<"nothing" | "download" | "install"> {
  const { deploymentBase } = await device.poll();
  if (deploymentBase === undefined) return "nothing";
  const parsed = parseDeployment((await device.request("GET", deploymentBase)).rawPayload);
  assert.ok(parsed.ok);
  return parsed.offer.windowOpen ? "install" : "download";
}

async function toldAll(devices: readonly TestDevice[]): Promise<string[]> {
  const found: string[] = [];
  for (const device of devices) found.push(await told(device));
  return found;
}

const zones = { tokyo: "Asia/Tokyo", berlin: "Europe/Berlin", york: "America/New_York" };

test("each device installs in the evening of its own time zone, from its next poll on", async (t) => {
  const windows = { timeZone: "device", install: evening };
  const { fleet, devices, show } = await scene(t, zones, { windows });
  const rows: ReadonlyArray<readonly [number, string[]]> = [
    [8.9999, ["download", "download", "download"]],
    [9, ["install", "download", "download"]],
    [10, ["download", "download", "download"]],
    [17, ["download", "install", "download"]],
    [18, ["download", "download", "download"]],
    [23, ["download", "download", "install"]],
    [24, ["download", "download", "download"]],
  ];
  assert.deepEqual(await show(), {
    lastOpensAtUnixMs: inUtc(23),
    withoutTimeZone: 0,
    neverOpen: 0,
    groups: [],
  });
  for (const [hour, expected] of rows) {
    fleet.nowUnixMs = inUtc(hour); // no tick of the server in between
    assert.deepEqual(await toldAll(devices), expected, `at ${hour}`);
  }
});

test("an idle poll asks nothing of the database until a window opens", async (t) => {
  const windows = { timeZone: "device", download: evening };
  const { fleet, devices } = await scene(t, zones, { windows });
  assert.deepEqual(await toldAll(devices), ["nothing", "nothing", "nothing"]);
  const asked = (["all", "get", "run", "iterate"] as const).map((name) =>
    t.mock.method(StatementSync.prototype, name),
  );
  const count = (): number => asked.reduce((sum, { mock }) => sum + mock.callCount(), 0);
  for (let minute = 1; minute < 60; minute += 1) {
    fleet.nowUnixMs = inUtc(8) + minute * 60_000;
    for (const device of devices) await device.poll();
  }
  assert.equal(count(), 0);
  fleet.nowUnixMs = inUtc(9);
  assert.deepEqual(await toldAll(devices), ["install", "nothing", "nothing"]);
  assert.notEqual(count(), 0);
});

test("a clock that was set back closes what it opened", async (t) => {
  const windows = { timeZone: "device", install: evening };
  const { fleet, devices } = await scene(t, { tokyo: "Asia/Tokyo" }, { windows });
  fleet.nowUnixMs = inUtc(9);
  assert.deepEqual(await toldAll(devices), ["install"]);
  fleet.nowUnixMs = inUtc(8);
  assert.deepEqual(await toldAll(devices), ["download"]);
  fleet.nowUnixMs = inUtc(9, 22); // and far ahead
  assert.deepEqual(await toldAll(devices), ["install"]);
});

test("a device is judged by the daylight saving of its zone", async (t) => {
  const windows = {
    timeZone: "device",
    install: [{ days: ["sun"], start: "02:00", minutes: 30 }],
  };
  const { fleet, devices } = await scene(t, { berlin: "Europe/Berlin" }, { windows });
  const rows: ReadonlyArray<readonly [string, string]> = [
    ["2027-03-21T01:00:00Z", "install"],
    ["2027-03-28T00:59:59Z", "download"],
    ["2027-03-28T01:00:00Z", "download"], // 03:00 by the local clock
    ["2027-04-04T00:00:00Z", "install"],
    ["2027-10-31T00:00:00Z", "install"], // the hour comes twice
    ["2027-10-31T00:30:00Z", "download"],
    ["2027-10-31T01:00:00Z", "install"],
    ["2027-10-31T01:30:00Z", "download"],
  ];
  for (const [instant, expected] of rows) {
    fleet.nowUnixMs = Date.parse(instant);
    assert.deepEqual(await toldAll(devices), [expected], instant);
  }
});

test("nothing is offered outside the windows to download; what was begun goes on", async (t) => {
  const windows = { timeZone: "device", download: evening };
  const { fleet, devices } = await scene(
    t,
    { tokyo: "Asia/Tokyo", begun: "Asia/Tokyo" },
    { windows },
  );
  const [idle, begun] = devices;
  assert.ok(idle !== undefined && begun !== undefined);
  assert.deepEqual(await toldAll(devices), ["nothing", "nothing"]);
  const counts = async () => (await fleet.api("GET", "/rollouts/1")).stages[0].counts;
  assert.equal((await counts()).waiting, 2);
  fleet.nowUnixMs = inUtc(9);
  assert.deepEqual(await toldAll(devices), ["install", "install"]);
  await begun.feedback((await begun.offered()) ?? 0, "download", "none", ["state=downloading"]);
  const { deploymentBase } = await idle.poll();
  const file = async (device: TestDevice, link: string): Promise<number> => {
    const { deployment } = (await device.request("GET", link)).json();
    const { href } = deployment.chunks[0].artifacts[0]._links["download-http"];
    fleet.nowUnixMs = inUtc(10);
    return (await device.request("HEAD", new URL(href).pathname)).statusCode;
  };
  assert.equal(await file(idle, deploymentBase ?? ""), 404);
  assert.deepEqual(await toldAll(devices), ["nothing", "install"]);
});

test("windows to download and to install are apart", async (t) => {
  const windows = {
    timeZone: "device",
    download: evening,
    install: [{ days: ["sat"], start: "03:00", minutes: 60 }],
  };
  const { fleet, devices, show } = await scene(t, { berlin: "Europe/Berlin" }, { windows });
  assert.equal((await show()).lastOpensAtUnixMs, inUtc(2, 16));
  assert.deepEqual(await toldAll(devices), ["nothing"]);
  fleet.nowUnixMs = inUtc(17);
  assert.deepEqual(await toldAll(devices), ["download"]);
  await devices[0]?.feedback((await devices[0].offered()) ?? 0, "download", "none", [
    "state=downloading",
  ]);
  fleet.nowUnixMs = inUtc(2, 16);
  assert.deepEqual(await toldAll(devices), ["install"]);
});

test("a device of which nobody said its zone waits, and is counted, until somebody says it", async (t) => {
  const windows = { timeZone: "device", download: evening };
  const { fleet, devices, show } = await scene(t, { lost: null, tokyo: "Asia/Tokyo" }, { windows });
  fleet.nowUnixMs = inUtc(9);
  assert.deepEqual(await toldAll(devices), ["nothing", "install"]);
  const before = { lastOpensAtUnixMs: inUtc(9), neverOpen: 0, groups: [] };
  assert.deepEqual(await show(), { ...before, withoutTimeZone: 1 });
  await fleet.api("PATCH", "/devices/lost", { timezone: "Asia/Seoul" });
  assert.deepEqual(await toldAll(devices), ["install", "install"]);
  assert.deepEqual(await show(), { ...before, withoutTimeZone: 0 });
  await fleet.api("DELETE", "/devices/lost");
  await fleet.api("PATCH", "/devices/tokyo", { timezone: null });
  assert.deepEqual(await show(), { ...before, lastOpensAtUnixMs: null, withoutTimeZone: 1 });
});

test("a preview says when the last device's window will have come, before there is a rollout", async (t) => {
  const windows = { timeZone: "device", install: evening };
  const { fleet } = await scene(t, { ...zones, lost: null }, { windows });
  const asked = { releaseVersion: "1.1.0", windows, beside: true };
  const { windows: outlook } = await fleet.api("POST", "/rollouts/preview", asked);
  assert.deepEqual(outlook, { lastOpensAtUnixMs: inUtc(23), withoutTimeZone: 1, neverOpen: 0 });
  const { windows: none } = await fleet.api("POST", "/rollouts/preview", {
    releaseVersion: "1.1.0",
    beside: true,
  });
  assert.equal(none, null);
});

test("the zone that a device tells counts like the operator's, at its next poll", async (t) => {
  const windows = { timeZone: "device", download: evening };
  const { fleet, devices } = await scene(t, { lost: null }, { windows });
  fleet.nowUnixMs = inUtc(9);
  const body = { mode: "merge", data: { "sluice-timezone": "Asia/Tokyo" } };
  await devices[0]?.request("PUT", "configData", { body });
  assert.deepEqual(await toldAll(devices), ["install"]);
});

for (const fallbackTimeZone of ["Asia/Tokyo", "JST-9"])
  test(`a device without a zone has the fallback, ${fallbackTimeZone}`, async (t) => {
    const windows = { timeZone: "device", fallbackTimeZone, install: evening };
    const { fleet, devices, show } = await scene(t, { lost: null }, { windows });
    assert.equal((await show()).lastOpensAtUnixMs, inUtc(9));
    assert.deepEqual(await toldAll(devices), ["download"]);
    fleet.nowUnixMs = inUtc(9);
    assert.deepEqual(await toldAll(devices), ["install"]);
  });

test("the windows of a group come before those of all", async (t) => {
  const windows = {
    timeZone: "device",
    install: evening,
    groups: { hospital: { install: [{ days: ["sat"], start: "03:00", minutes: 60 }] } },
  };
  const berlin = { ward: "Europe/Berlin", lamp: "Europe/Berlin" };
  const { fleet, devices, show } = await scene(t, berlin, { windows });
  fleet.nowUnixMs = inUtc(17);
  assert.deepEqual(await toldAll(devices), ["install", "install"]);
  await fleet.api("PATCH", "/devices/ward", { groups: { add: ["hospital"] } });
  assert.deepEqual(await toldAll(devices), ["download", "install"]);
  fleet.nowUnixMs = inUtc(2, 16);
  assert.deepEqual(await toldAll(devices), ["install", "download"]);
  assert.deepEqual((await show()).groups, ["hospital"]);
});

test("a security fix that server and signature force is offered through closed windows", async (t) => {
  const windows = { timeZone: "UTC0", download: [], install: [] };
  const release = { release: { windowOverride: true } };
  const { devices } = await scene(t, { lamp: null }, { windows, release });
  assert.deepEqual(await toldAll(devices), ["download"]);
  const unsigned = await scene(t, { lamp: null }, { windows });
  assert.deepEqual(await toldAll(unsigned.devices), ["nothing"]);
  assert.equal((await unsigned.show()).neverOpen, 1);
});

test("windows in the devices' zones survive a restart of the server", async (t) => {
  const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
  const windows = { timeZone: "device", install: evening };
  const { fleet, devices } = await scene(t, zones, { windows, options: { databaseFile } });
  await fleet.server.close();
  const again = await TestFleet.open(t, { databaseFile }, 3600);
  assert.deepEqual(await toldAll(devices.map((device) => device.on(again))), [
    "install",
    "download",
    "download",
  ]);
});

for (const [name, bad, says] of [
  ["a zone by its name", { timeZone: "Europe/Berlin", install: evening }, /or "device"/],
  [
    "a fallback that nobody knows",
    { timeZone: "device", fallbackTimeZone: "Mars/Olympus", install: evening },
    /fallbackTimeZone is neither a POSIX rule nor a name that the time zone database \d{4}[a-z] has/,
  ],
  [
    "a fallback for a rule",
    { timeZone: "UTC0", fallbackTimeZone: "UTC", install: evening },
    /fallbackTimeZone goes with/,
  ],
  ["groups that are a list", { timeZone: "UTC0", groups: [] }, /groups is no object/],
  [
    "a group without windows",
    { timeZone: "UTC0", groups: { hospital: {} } },
    /groups\.hospital has neither/,
  ],
  [
    "a window of no time in a group",
    { timeZone: "UTC0", groups: { hospital: { install: [{ ...evening[0], minutes: 0 }] } } },
    /groups\.hospital\.install\[0\]\.minutes of the windows is malformed-minutes/,
  ],
  [
    "33 groups",
    {
      timeZone: "UTC0",
      groups: Object.fromEntries(
        Array.from({ length: 33 }, (_, index) => [`g${index}`, { install: evening }]),
      ),
    },
    /groups has 33 groups, at most 32/,
  ],
] as const)
  test(`refuses windows with ${name}`, async (t) => {
    const fleet = await TestFleet.open(t);
    const payload = { name: "r", releaseVersion: "1.1.0", windows: bad };
    const answer = await fleet.inject({ method: "POST", url: "/api/v1/rollouts", payload });
    assert.deepEqual([answer.statusCode, answer.json().error], [400, "windows-invalid"]);
    assert.match(answer.json().message, says);
  });
