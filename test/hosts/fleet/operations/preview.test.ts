// What a rollout would do is said before it does it.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { parseVersion } from "../../../../src/image/version.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import type { TestFleet } from "../test-fleet.ts";
import { allAtOnce, fleetOf, old } from "./rollout-scene.ts";

const places = [
  { timezone: "Europe/Berlin", region: "eu" },
  { timezone: "Asia/Tokyo", region: "asia" },
  {},
];

/** The same fleet in memory and in a file, which another thread reads. */
async function fleetIn(t: TestContext, where: "memory" | "file", count: number) {
  const folder = temporaryFolder(t);
  const options = where === "file" ? { databaseFile: join(folder, "fleet.sqlite") } : {};
  const { fleet, devices } = await fleetOf(t, count, options);
  for (const [index, { id }] of devices.entries()) {
    const registry = places[index % places.length];
    if (registry?.region !== undefined) await fleet.api("PATCH", `/devices/${id}`, registry);
  }
  return { fleet, devices };
}

function preview(fleet: TestFleet, releaseVersion: string, more: object = {}) {
  return fleet.api("POST", "/rollouts/preview", { releaseVersion, ...more });
}

for (const where of ["memory", "file"] as const)
  test(`says which devices a rollout takes, and what it moves: ${where}`, async (t) => {
    const { fleet, devices } = await fleetIn(t, where, 6);
    const { bytes } = await import("../test-fleet.ts").then(({ makeImage }) =>
      makeImage({ version: "1.1.0" }),
    );
    await fleet.publishBytes(bytes);
    const newer = devices[5];
    newer?.runs("1.2.0", "c".repeat(64));
    await newer?.poll();
    await fleet.addDevice("other", "esp32c6-a");
    const told = await preview(fleet, "1.1.0");
    assert.equal(told.devices, 5);
    assert.deepEqual(
      told.first,
      devices.slice(0, 5).map(({ id }) => id),
    );
    assert.deepEqual(told.versions.most, [{ name: "1.0.0", devices: 5 }]);
    assert.deepEqual(told.regions.most, [
      { name: "asia", devices: 2 },
      { name: "eu", devices: 2 },
      { name: null, devices: 1 },
    ]);
    assert.deepEqual(told.timeZones.most[0], { name: "Asia/Tokyo", devices: 2 });
    assert.deepEqual(told.left, [
      { reason: "older-version", devices: 1, examples: ["device-0005"] },
      { reason: "other-hardware", devices: 1, examples: ["other"] },
    ]);
    assert.equal(told.bytes, 5 * bytes.length);
    assert.deepEqual(
      told.stages.map((stage: { devices: number }) => stage.devices),
      [1, 0, 2, 2],
    );
    assert.equal(told.seconds, 3 * (24 * 3600 + 300));
    assert.deepEqual(told.problems, []);
    assert.equal((await fleet.api("GET", "/rollouts")).items.length, 0);
  });

test("agrees with the rollout that is created, whatever speaks against a device", async (t) => {
  const { fleet, devices } = await fleetIn(t, "file", 40);
  const hashes: Record<string, string> = {};
  const stone = (version: string) => ({ steppingStone: parseVersion(version) });
  const releases = [
    { version: "1.1.0", fill: 1 },
    { version: "1.2.0", fill: 2, release: stone("1.1.0") },
    { version: "1.3.0", fill: 3, release: stone("1.2.0") },
    { version: "2.0.0", fill: 4 },
  ];
  for (const wishes of releases) hashes[wishes.version] = await fleet.publish(wishes);
  const versions = ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "2.0.0"];
  for (const [index, device] of devices.entries()) {
    const version = versions[(index * 7) % versions.length] ?? "";
    device.runs(version, hashes[version] ?? old.imageHash);
    await device.poll();
  }
  const back = { haltThreshold: { rolledBackShare: 1 }, stages: allAtOnce, start: true };
  await fleet.api("POST", "/rollouts", { name: "r", releaseVersion: "1.3.0", ...back });
  for (const device of devices.slice(0, 9)) {
    const action = await device.offered();
    if (action !== null) await device.feedback(action, "closed", "failure", ["state=rolledBack"]);
  }
  await fleet.api("POST", "/rollouts/1/cancel");
  const halves = [
    { percent: 13, soakSeconds: 60 },
    { percent: 57, soakSeconds: 60 },
  ];
  for (const more of [
    {},
    { approved: true },
    { allowDowngrade: true },
    { retryRolledBack: true },
    { stages: halves },
    { selector: { filter: "region==eu" } },
    {
      selector: {
        filter: "region==eu,timezone!=*",
        devices: devices.slice(3, 30).map(({ id }) => id),
      },
    },
  ])
    for (const releaseVersion of ["1.1.0", "1.3.0", "2.0.0"]) {
      const what = `${releaseVersion} ${JSON.stringify(more)}`;
      const asked = { leaveBehind: true, ...more };
      const told = await preview(fleet, releaseVersion, asked);
      const payload = { name: "r", releaseVersion, ...asked };
      const made = await fleet.inject({ method: "POST", url: "/api/v1/rollouts", payload });
      const reasons = told.problems.map(({ reason }: { reason: string }) => reason);
      assert.deepEqual(reasons, made.statusCode === 201 ? [] : [made.json().error], what);
      if (made.statusCode !== 201) continue;
      const { id, eligible, stages } = made.json();
      assert.equal(told.devices, eligible, what);
      assert.deepEqual(
        told.stages.map((stage: { devices: number }) => stage.devices),
        stages.map(({ joined }: { joined: number }) => joined),
        what,
      );
      await fleet.api("POST", `/rollouts/${id}/cancel`);
    }
});

test("agrees about the rollouts that are in the way, and the groups that are empty", async (t) => {
  const { fleet, devices } = await fleetIn(t, "file", 12);
  const ids = devices.map(({ id }) => id);
  await fleet.publish({ version: "1.1.0" });
  const few = { selector: { devices: ids.slice(0, 4) }, stages: allAtOnce };
  await fleet.api("POST", "/rollouts", { name: "few", releaseVersion: "1.1.0", ...few });
  for (const [index, more] of [
    {},
    { beside: true },
    { selector: { devices: ids.slice(4) } },
    { selector: { devices: ids.slice(3, 5) } },
    { selector: { filter: "region==eu" } },
    { selector: { devices: ids.slice(4) }, policy: "canary-internal-pilot-general" },
  ].entries()) {
    const asked = { releaseVersion: "1.1.0", ...more };
    const told = await preview(fleet, "1.1.0", more);
    const payload = { name: `${index}`, ...asked };
    const made = await fleet.inject({ method: "POST", url: "/api/v1/rollouts", payload });
    const { error, message, id } = made.json();
    const expected = made.statusCode === 201 ? [] : [{ reason: error, message }];
    assert.deepEqual(told.problems, expected, JSON.stringify(more));
    if (id !== undefined) await fleet.api("POST", `/rollouts/${id}/cancel`);
  }
  for (const id of ids.slice(4, 7))
    await fleet.api("PATCH", `/devices/${id}`, { groups: { add: ["pilot"] } });
  const staged = { selector: { devices: ids.slice(4) }, policy: "canary-internal-pilot-general" };
  const { stages } = await preview(fleet, "1.1.0", staged);
  const made = await fleet.api("POST", "/rollouts", {
    name: "s",
    releaseVersion: "1.1.0",
    ...staged,
  });
  const sizes = (of: { devices?: number; joined?: number }[]) =>
    of.map(({ devices: held, joined }) => held ?? joined);
  assert.deepEqual(sizes(stages), [0, 0, 3, 5]);
  assert.deepEqual(sizes(made.stages), [0, 0, 3, 5]);
});

test("says that a filter matches nobody", async (t) => {
  const { fleet } = await fleetIn(t, "memory", 3);
  await fleet.publish({ version: "1.1.0" });
  const told = await preview(fleet, "1.1.0", { selector: { filter: "region==nowhere" } });
  assert.equal(told.devices, 0);
  assert.equal(told.problems[0].reason, "no-eligible-devices");
  assert.match(told.problems[0].message, /filter.*3 not-selected/);
  assert.deepEqual(told.left, [{ reason: "not-selected", devices: 3, examples: [] }]);
});

test("names what is stranded, and the stepping stones on the way", async (t) => {
  const { fleet } = await fleetIn(t, "memory", 3);
  const stone = (version: string) => ({ steppingStone: parseVersion(version) });
  await fleet.publish({ version: "1.3.0", release: stone("1.2.0") });
  const stranded = await preview(fleet, "1.3.0");
  assert.deepEqual(
    stranded.problems.map(({ reason }: { reason: string }) => reason),
    ["strands-devices", "no-eligible-devices"],
  );
  assert.match(stranded.problems[0].message, /3 devices to release 1\.3\.0: 3 on 1\.0\.0/);
  await fleet.publish({ version: "1.2.0", fill: 1 });
  const led = await preview(fleet, "1.3.0");
  assert.deepEqual([led.devices, led.problems], [3, []]);
  assert.deepEqual(led.steps.most, [{ name: "1.2.0", devices: 3 }]);
});

test("has a digest of what was asked and found, whatever the time", async (t) => {
  const { fleet, devices } = await fleetIn(t, "file", 4);
  await fleet.publish({ version: "1.1.0" });
  const first = await preview(fleet, "1.1.0");
  await fleet.wait(3600);
  assert.equal((await preview(fleet, "1.1.0", { name: "named" })).digest, first.digest);
  assert.notEqual((await preview(fleet, "1.1.0", { mode: "soft" })).digest, first.digest);
  devices[0]?.runs("1.0.5", "5".repeat(64));
  await devices[0]?.poll();
  assert.notEqual((await preview(fleet, "1.1.0")).digest, first.digest);
});

test("tells what the stop rule catches", async (t) => {
  const { fleet } = await fleetIn(t, "memory", 30);
  await fleet.publish({ version: "1.1.0" });
  const { odds } = await preview(fleet, "1.1.0", { stages: allAtOnce });
  const rates = odds.map(({ defectRate }: { defectRate: number }) => defectRate);
  assert.deepEqual(rates, [0.01, 0.02, 0.05, 0.1, 0.2]);
  for (const { stop, hurtOneByOne, hurtAtOnce, defectRate } of odds) {
    assert.ok(stop > 0 && stop < 1 && hurtOneByOne <= hurtAtOnce, `${defectRate}`);
    assert.ok(Math.abs(hurtAtOnce - 30 * defectRate) < 1e-9, `${hurtAtOnce}`);
  }
});

for (const [name, body, status, error] of [
  ["a release that there is not", { releaseVersion: "9.9.9" }, 404, "unknown-release"],
  ["neither a release nor a configuration", {}, 400, "invalid-request"],
  [
    "a filter that cannot be read",
    { releaseVersion: "1.1.0", selector: { filter: "region=" } },
    422,
    "filter-invalid",
  ],
  ["a wish to start", { releaseVersion: "1.1.0", start: true }, 400, "invalid-request"],
] as const)
  test(`refuses ${name}`, async (t) => {
    const { fleet } = await fleetIn(t, "memory", 1);
    await fleet.publish({ version: "1.1.0" });
    const url = "/api/v1/rollouts/preview";
    const answer = await fleet.inject({ method: "POST", url, payload: body });
    assert.deepEqual([answer.statusCode, answer.json().error], [status, error], answer.body);
  });
