import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { FleetOptions } from "../../../../hosts/fleet/options.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { type TestDevice, TestFleet } from "../test-fleet.ts";
import { laterColumns, laterTables, laterTriggers } from "./later-migrations.ts";

const old = { version: "1.0.0", imageHash: "0a".repeat(32) };
const day = 86_400;
const steps = [30 * day, -30 * day, 3600, -3600] as const;
const ticked = { ticksEveryMs: 1000 };

async function scene(context: TestContext, options: Partial<FleetOptions> = ticked) {
  const fleet = await TestFleet.open(context, options);
  const devices = await fleet.addDevices(4);
  for (const device of devices) {
    device.runs(old.version, old.imageHash);
    await device.poll();
  }
  const imageHash = await fleet.publish({ version: "1.1.0" });
  await fleet.wait(1);
  return { fleet, devices, imageHash };
}

async function start(fleet: TestFleet, more: object = {}): Promise<void> {
  const stages = [{ percent: 100, soakSeconds: 0 }];
  const wanted = { name: "r", releaseVersion: "1.1.0", start: true, stages, ...more };
  await fleet.api("POST", "/rollouts", wanted);
}

async function pass(fleet: TestFleet, seconds: number): Promise<void> {
  for (let left = seconds; left > 0; left -= 10) await fleet.wait(Math.min(10, left));
}

async function goBack(devices: readonly TestDevice[], imageHash: string): Promise<void> {
  for (const device of devices) {
    if ((await device.offered()) === null) continue;
    await device.installs("1.1.0", imageHash);
    device.runs(old.version, old.imageHash);
    await device.poll();
  }
}

const twoStages = [
  { percent: 25, soakSeconds: 600 },
  { percent: 100, soakSeconds: 600 },
];

for (const seconds of steps) {
  test(`a clock that was ${seconds} s off for a tick disarms no halting`, async (t) => {
    const { fleet, devices, imageHash } = await scene(t);
    await fleet.step(seconds);
    await fleet.wait(3);
    await fleet.step(-seconds);
    await fleet.wait(1);
    await start(fleet);
    await goBack(devices, imageHash);
    const { state, stages } = await fleet.api("GET", "/rollouts/1");
    assert.deepEqual([state, stages[0].counts["no-server"]], ["halted", 0]);
    const { items } = await fleet.api("GET", "/events?limit=500");
    const kinds = items.map(({ kind }: { kind: string }) => kind);
    assert.ok(!kinds.includes("server-outage"));
    assert.ok(kinds.includes("clock-stepped"), "and it is told");
    const metrics = await fleet.inject({ method: "GET", url: "/metrics" });
    assert.match(metrics.body, /^sluice_clock_steps_total 2$/m);
  });

  test(`a clock set by ${seconds} s neither ends a soak nor holds it`, async (t) => {
    const { fleet, devices, imageHash } = await scene(t);
    await start(fleet, { stages: twoStages });
    const stage = async () => (await fleet.api("GET", "/rollouts/1")).currentStage;
    for (const device of devices)
      if ((await device.offered()) !== null) await device.updates("1.1.0", imageHash);
    await fleet.wait(1);
    await fleet.step(seconds);
    await pass(fleet, 580);
    assert.equal(await stage(), 0);
    await pass(fleet, 30);
    assert.equal(await stage(), 1);
  });

  test(`a clock set by ${seconds} s makes no proof overdue, and none wait`, async (t) => {
    const { fleet, devices, imageHash } = await scene(t);
    await start(fleet, { proofSeconds: 600 });
    const device = devices[0] ?? assert.fail();
    await device.installs("1.1.0", imageHash);
    await fleet.step(seconds);
    await pass(fleet, 580);
    const trial = async () => (await fleet.api("GET", "/rollouts/1")).stages[0].counts;
    assert.equal((await trial()).unproven, 0);
    await pass(fleet, 30);
    assert.equal((await trial()).unproven, 1);
  });

  test(`a clock set by ${seconds} s while the server was away changes no soak`, async (t) => {
    const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
    const { fleet, devices, imageHash } = await scene(t, { ...ticked, databaseFile });
    await start(fleet, { stages: twoStages });
    for (const device of devices)
      if ((await device.offered()) !== null) await device.updates("1.1.0", imageHash);
    await pass(fleet, 300);
    await fleet.server.close();
    const again = await TestFleet.open(t, { ...ticked, databaseFile }, 300 + seconds);
    const stage = async () => (await again.api("GET", "/rollouts/1")).currentStage;
    await pass(again, 280);
    assert.equal(await stage(), 0);
    await pass(again, 30);
    assert.equal(await stage(), 1);
    const late = devices.map((device) => device.on(again));
    await goBack(late, imageHash);
    assert.equal((await again.api("GET", "/rollouts/1")).state, "halted");
  });
}

test("a server that was stuck for two days ends no soak when it comes back", async (t) => {
  const { fleet, devices, imageHash } = await scene(t);
  await start(fleet, { stages: twoStages });
  for (const device of devices)
    if ((await device.offered()) !== null) await device.updates("1.1.0", imageHash);
  await fleet.wait(2 * day);
  assert.equal((await fleet.api("GET", "/rollouts/1")).currentStage, 0);
});

test("a database of before goes on, and what a clock that was ahead wrote holds nothing", async (t) => {
  const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
  const { fleet, devices, imageHash } = await scene(t, { databaseFile });
  await start(fleet, { stages: twoStages });
  for (const device of devices)
    if ((await device.offered()) !== null) await device.updates("1.1.0", imageHash);
  await fleet.wait(1);
  await fleet.server.close();
  asBefore(databaseFile);
  const again = await TestFleet.open(t, { ...ticked, databaseFile }, 10);
  await pass(again, 580);
  assert.equal((await again.api("GET", "/rollouts/1")).currentStage, 0);
  await pass(again, 30);
  assert.equal((await again.api("GET", "/rollouts/1")).currentStage, 1);
});

/** The file as servers without service time left it, its stage settled by a clock 30 days ahead. */
function asBefore(file: string): void {
  const database = new DatabaseSync(file);
  const columns = [
    ["server_alive", "service_ms"],
    ["server_outages", "service_ms"],
    ["rollout_stages", "opened_service_ms"],
    ["rollout_stages", "settled_service_ms"],
    ["rollout_members", "changed_service_ms"],
    ["rollout_stages", "joined"],
    ["rollout_stages", "no_link"],
    ["rollout_members", "silent_rollbacks"],
    ["devices", "known_from"],
    ["rollout_members", "replaced_hash"],
    ...laterColumns,
  ];
  for (const trigger of ["events_counted", "events_uncounted", ...laterTriggers])
    database.exec(`drop trigger ${trigger}`);
  database.exec("drop index devices_by_digits");
  for (const [table, column] of columns)
    database.exec(`alter table ${table} drop column ${column}`);
  for (const table of ["event_counts", "director_times", ...laterTables])
    database.exec(`drop table ${table}`);
  database.exec("delete from kysely_migration where name > '0005-token-macs'");
  database.exec(`update rollout_stages set settled_at = settled_at + ${30 * day * 1000}`);
  database.close();
}
