import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { limits } from "../../../../hosts/fleet/terms/limits.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { TestFleet } from "../test-fleet.ts";
import { laterColumns, laterTables, laterTriggers } from "./later-migrations.ts";

const { actionHistoryMax, eventsPerDeviceMax } = limits;

/** A device that is at its bound already, in a file that another connection may look into. */
async function scene(context: TestContext) {
  const databaseFile = join(temporaryFolder(context), "fleet.sqlite");
  const fleet = await TestFleet.open(context, { databaseFile, durability: "off" });
  const device = await fleet.addDevice("loud");
  const database = new DatabaseSync(databaseFile);
  context.after(() => database.close());
  database.exec(`insert into events (at, kind, device_id, details)
    with recursive n(i) as (select 1 union all select i + 1 from n where i < ${eventsPerDeviceMax - 1})
    select 0, 'filled', 'loud', '{}' from n`);
  const count = (what: string): number => {
    const row = database.prepare(`select count(*) as count from ${what}`).get();
    return Number(row?.["count"]);
  };
  const counted = (): unknown =>
    database.prepare("select count from event_counts where device_id = 'loud'").get()?.["count"];
  return { fleet, device, count, counted };
}

const ways: ReadonlyArray<
  readonly [string, (device: Awaited<ReturnType<typeof scene>>["device"]) => Promise<unknown>]
> = [
  [
    "malformed headers",
    async (device) => {
      for (let index = 0; index < 5; index += 1) {
        device.running = `malformed ${index}`;
        await device.request("GET", "");
      }
    },
  ],
  [
    "installedBase",
    async (device) => {
      for (let index = 0; index < 5; index += 1)
        await device.request("PUT", "installedBase", { body: { name: "a", version: `${index}` } });
    },
  ],
  [
    "events",
    async (device) => {
      const body = Array.from({ length: 64 }, (_, index) => ({ id: `b-${index}`, type: "x" }));
      await device.request("POST", "events", { body });
    },
  ],
];

for (const [name, send] of ways)
  test(`the bound of a device holds for ${name}, and the counter tells the truth`, async (t) => {
    const { fleet, device, count, counted } = await scene(t);
    await send(device);
    const kept = count("events where device_id = 'loud'");
    assert.ok(kept <= eventsPerDeviceMax, `${kept}`);
    assert.ok(
      count("events where device_id = 'loud' and kind <> 'filled'") >= 2,
      "the newest stay",
    );
    assert.equal(counted(), kept);
    await fleet.addDevice("other");
    assert.equal(count("events where device_id = 'other'"), 1);
  });

test("a device that gives its offers back for ever keeps a bounded history", async (t) => {
  const { fleet, device, count } = await scene(t);
  device.runs("1.0.0", "0a".repeat(32));
  await device.poll();
  await fleet.publish({ version: "1.1.0" });
  const stages = [{ percent: 100, soakSeconds: 0 }];
  const haltThreshold = { failedShare: 1 };
  const wanted = { name: "r", releaseVersion: "1.1.0", start: true, stages, haltThreshold };
  await fleet.api("POST", "/rollouts", wanted);
  for (let index = 0; index < actionHistoryMax + 10; index += 1) {
    const actionId = (await device.offered()) ?? assert.fail("not offered");
    await device.feedback(actionId, "canceled", "none", []);
    await fleet.api("DELETE", `/devices/${device.id}/refusals/1.1.0`); // else it pauses
  }
  assert.ok(count("actions") <= actionHistoryMax);
  assert.ok(count("action_reports") <= actionHistoryMax);
});

test("the words that one action keeps have a bound, and a result counts all the same", async (t) => {
  const { fleet, device, count } = await scene(t);
  await fleet.publish({ version: "1.1.0" });
  const stages = [{ percent: 100, soakSeconds: 0 }];
  const halt = { failedShare: 1 };
  const wanted = { name: "r", releaseVersion: "1.1.0", stages, start: true, haltThreshold: halt };
  await fleet.api("POST", "/rollouts", wanted);
  const actionId = (await device.offered()) ?? 0;
  const words = Array.from({ length: 50 }, () => "\u{1f50c}".repeat(128));
  for (let index = 0; index < 8; index += 1)
    await device.feedback(actionId, "proceeding", "none", words);
  assert.equal(await device.feedback(actionId, "closed", "failure", words), 200);
  assert.equal(count("action_reports"), 9);
  const kept = count(`(select sum(length(cast(details as blob))) as bytes from action_reports)
    where bytes < ${limits.reportBytesPerActionMax + 9 * 100}`);
  assert.equal(kept, 1);
  const { items } = await fleet.api("GET", "/rollouts/1/devices");
  assert.equal(items[0].state, "failed");
});

/** Bytes of a device's events, counted anew. */
const truly = `select sum(octet_length(kind) + octet_length(details) + octet_length(device_id)
  + coalesce(octet_length(release_version), 0) + coalesce(octet_length(device_event_id), 0)) as bytes
  from events where device_id = 'loud'`;

async function loudScene(context: TestContext) {
  const databaseFile = join(temporaryFolder(context), "fleet.sqlite");
  const fleet = await TestFleet.open(context, { databaseFile, durability: "off" });
  const device = await fleet.addDevice("loud");
  device.runs("1.0.0", "0a".repeat(32));
  await device.poll();
  const database = new DatabaseSync(databaseFile);
  context.after(() => database.close());
  const number = (query: string): number =>
    Number(Object.values(database.prepare(query).get() ?? {})[0]);
  const bytes = { counted: "select bytes from event_counts where device_id = 'loud'", truly };
  const all = "select bytes from event_counts where device_id = '*'";
  const sum = "select sum(bytes) from event_counts where device_id <> '*'";
  return { fleet, device, number, bytes, all, sum };
}

test("what the events of a device take has a bound, and the results and findings stay", async (t) => {
  const { fleet, device, number, bytes, all, sum } = await loudScene(t);
  await fleet.publish({ version: "1.1.0" });
  const stages = [{ percent: 100, soakSeconds: 0 }];
  const halt = { failedShare: 1 };
  const wanted = { name: "r", releaseVersion: "1.1.0", stages, start: true, haltThreshold: halt };
  await fleet.api("POST", "/rollouts", wanted);
  const actionId = (await device.offered()) ?? 0;
  assert.equal(await device.feedback(actionId, "closed", "failure", ["reason=first"]), 200);
  for (let index = 0; index < 40; index += 1) {
    const value = "\u{1f50c}".repeat(100);
    const details = Object.fromEntries([..."abcdefghijklmnop"].map((key) => [key, value]));
    const body = Array.from({ length: 8 }, (_, id) => ({
      id: `b-${index * 8 + id}`,
      type: "x",
      details,
    }));
    assert.equal((await device.request("POST", "events", { body })).statusCode, 200);
    assert.ok(number(bytes.counted) <= limits.eventBytesPerDeviceMax);
  }
  assert.equal(number(bytes.counted), number(bytes.truly));
  assert.equal(number(all), number(sum));
  assert.ok(
    number(bytes.counted) > limits.eventBytesPerDeviceMax * 0.9,
    "no more went than had to",
  );
  const kept = (what: string) =>
    number(`select count(*) from events where device_id = 'loud' and ${what}`);
  assert.equal(kept("kind = 'feedback'"), 1, "the result");
  assert.equal(kept("kind = 'device-failed'"), 1, "and what the server found");
  assert.equal(kept("device_event_id = 'b-319'"), 1, "and the newest");
  assert.equal(kept("device_event_id = 'b-0'"), 0);
  await fleet.api("DELETE", "/devices/loud");
  assert.equal(number(bytes.counted), number(bytes.truly));
});

test("of too many reports those in passing go first, the oldest before, and their words before", async (t) => {
  const { fleet, device, number } = await loudScene(t);
  await fleet.publish({ version: "1.1.0" });
  const stages = [{ percent: 100, soakSeconds: 0 }];
  await fleet.api("POST", "/rollouts", { name: "r", releaseVersion: "1.1.0", stages, start: true });
  const actionId = (await device.offered()) ?? 0;
  const more = limits.reportsPerActionMax + 20;
  for (let index = 0; index < more; index += 1) {
    await fleet.wait(5);
    const words = Array.from({ length: 2 }, () => `${index} ${"x".repeat(500)}`);
    assert.equal(await device.feedback(actionId, "proceeding", "none", words), 200);
  }
  assert.equal(await device.feedback(actionId, "closed", "failure", ["reason=broken"]), 200);
  const of = (what: string) => number(`select count(*) from action_reports where ${what}`);
  assert.equal(of("1"), limits.reportsPerActionMax);
  assert.ok(
    number("select sum(octet_length(details)) from action_reports") <=
      limits.reportBytesPerActionMax,
  );
  assert.equal(of("details like '%reason=broken%'"), 1);
  assert.equal(of(`details like '%"${more - 1} x%'`), 1, "the newest have their words");
  assert.equal(of(`details like '%"50 x%'`), 0);
});

test("a database of before counts the bytes that it has", async (t) => {
  const file = join(temporaryFolder(t), "fleet.sqlite");
  const first = await TestFleet.open(t, { databaseFile: file, durability: "off" });
  await first.addDevice("loud");
  await first.server.close();
  const database = new DatabaseSync(file);
  // As migration 0010 left it.
  database.exec(`${laterTriggers.map((trigger) => `drop trigger ${trigger};`).join("\n")}
    drop trigger events_counted; drop trigger events_uncounted;
    drop index event_counts_by_bytes; alter table event_counts drop column bytes;
    alter table devices drop column known_from;
    alter table rollout_members drop column replaced_hash;
    ${laterColumns.map(([table, column]) => `alter table ${table} drop column ${column};`).join("\n")}
    ${laterTables.map((table) => `drop table ${table};`).join("\n")}
    delete from kysely_migration where name > '0010-spelled-ids';
    create trigger events_counted after insert on events begin
      insert into event_counts values (coalesce(new.device_id, ''), 1)
        on conflict (device_id) do update set count = count + 1;
      update event_counts set count = count + 1 where device_id = '*';
    end;
    create trigger events_uncounted after delete on events begin
      update event_counts set count = count - 1 where device_id = coalesce(old.device_id, '') or device_id = '*';
    end`);
  database.close();
  await TestFleet.open(t, { databaseFile: file, durability: "off" });
  const after = new DatabaseSync(file);
  t.after(() => after.close());
  const number = (query: string): number =>
    Number(Object.values(after.prepare(query).get() ?? {})[0]);
  const counted = number("select bytes from event_counts where device_id = 'loud'");
  assert.ok(counted > 0);
  assert.equal(counted, number(truly));
  assert.equal(
    number("select bytes from event_counts where device_id = '*'"),
    number("select sum(bytes) from event_counts where device_id <> '*'"),
  );
});
