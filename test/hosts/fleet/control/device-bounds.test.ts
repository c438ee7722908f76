import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { limits } from "../../../../hosts/fleet/limits.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { TestFleet } from "../test-fleet.ts";

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
  await fleet.api("POST", "/rollouts", { name: "r", releaseVersion: "1.1.0", start: true, stages });
  for (let index = 0; index < actionHistoryMax + 10; index += 1) {
    const actionId = (await device.offered()) ?? assert.fail("not offered");
    await device.feedback(actionId, "canceled", "none", []);
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
