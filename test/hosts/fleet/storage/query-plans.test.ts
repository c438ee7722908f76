// No request of a device and no tick reads a whole table, however large the fleet is.
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { parseVersion } from "../../../../src/image/version.ts";
import { allAtOnce, old } from "../operations/rollout-scene.ts";
import { type TestDevice, TestFleet } from "../test-fleet.ts";

/** Tables that grow with the fleet or with time. */
const large = [
  "devices",
  "device_attributes",
  "device_labels",
  "device_registrations",
  "device_refusals",
  "device_clearances",
  "rollout_members",
  "actions",
  "action_reports",
  "events",
  "event_counts",
  "director_times",
  "counter_reports",
  "compared_devices",
  "counter_cohorts",
];

class Statements {
  readonly texts = new Set<string>();
  #isOn = false;
  #database: DatabaseSync | null = null;

  constructor(t: TestContext) {
    const { prepare } = DatabaseSync.prototype;
    const note = (database: DatabaseSync, text: string): void => {
      this.#database = database;
      if (this.#isOn) this.texts.add(text);
    };
    DatabaseSync.prototype.prepare = function (this: DatabaseSync, ...line) {
      note(this, line[0]);
      return prepare.apply(this, line);
    };
    t.after(() => {
      DatabaseSync.prototype.prepare = prepare;
    });
  }

  /** Statements are prepared once: those of before must not hide the ones that are looked for. */
  begin(): void {
    this.#isOn = true;
  }

  /** The steps of each statement that go through a whole table. */
  scans(): string[] {
    const database = this.#database;
    assert.ok(database);
    const found: string[] = [];
    for (const text of this.texts) {
      if (!/^\s*(select|update|delete|insert|with)\b/i.test(text)) continue;
      const steps = database.prepare(`explain query plan ${text}`).all();
      for (const { detail } of steps) {
        const table = /^SCAN (\w+)/.exec(String(detail))?.[1] ?? "";
        if (large.includes(table)) found.push(`${detail}: ${text}`);
      }
    }
    return found;
  }
}

/** Everything that devices of a fleet ask and tell, over a rollout that halts and one that ends. */
async function live(fleet: TestFleet, devices: readonly TestDevice[], hashes: readonly string[]) {
  const [first, second, third, fourth] = devices;
  assert.ok(first && second && third && fourth);
  const [step = "", target = ""] = hashes;
  for (const device of devices) await device.poll();
  const action = await first.installs("1.1.0", step);
  await first.request("PUT", "configData", { body: { mode: "merge", data: { place: "hall" } } });
  first.runs("1.1.0", step);
  await first.feedback(action, "closed", "success", ["state=confirmed"]);
  await first.updates("1.2.0", target);
  await second.rollsBack({ version: "1.1.0", imageHash: step }, old);
  await fleet.wait(1);
  const late = await third.offered();
  if (late !== null) await third.feedback(late, "rejected", "none", ["reason=power"]);
  await fleet.inject({
    method: "POST",
    url: `/api/v1/devices/${third.id}/cancel`,
    payload: { force: false },
  });
  const events = [{ id: "boot-1", kind: "boot", atMs: 1, details: {} }];
  await fourth.request("POST", "events", { body: events });
  const counters = { id: "boot-0", spanMs: 1000, errorLogs: 1 };
  for (const device of devices) {
    await device.poll();
    await device.request("POST", "counters", { body: counters });
  }
  for (const seconds of [3600, 15 * 24 * 3600]) {
    await fleet.wait(seconds);
    for (const device of devices) await device.poll();
  }
  for (let tick = 0; tick < 9; tick += 1) await fleet.wait(1);
}

test("no poll, report, decision, plan or tick scans a table that grows", async (t) => {
  const statements = new Statements(t);
  const fleet = await TestFleet.open(t);
  const step = await fleet.publish({ version: "1.1.0", fill: 1 });
  const steppingStone = parseVersion("1.1.0");
  const target = await fleet.publish({ version: "1.2.0", fill: 2, release: { steppingStone } });
  // The plan of publishing names a scan for foreign keys that wait, of which there are none.
  statements.begin();
  const devices = await fleet.addDevices(8);
  for (const { id } of devices)
    await fleet.api("PATCH", `/devices/${id}`, { region: "eu", tags: { add: ["go"] } });
  for (const device of devices) {
    device.runs(old.version, old.imageHash);
    await device.poll();
  }
  const everyDay = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
  await fleet.api("POST", "/rollouts", {
    ...{ name: "r", releaseVersion: "1.2.0", start: true, stages: allAtOnce },
    selector: { filter: "region==eu;tag==go;attribute.place!=cellar" },
    haltThreshold: { rolledBackShare: 1 },
    windows: { timeZone: "UTC0", install: [{ days: everyDay, start: "00:00", minutes: 1440 }] },
  });
  await live(fleet, devices, [step, target]);
  for (const path of [
    "/rollouts/1",
    "/rollouts/1/devices",
    "/rollouts/1/comparison",
    "/devices",
    "/events",
    "/counters",
    "/devices/device-0001",
  ])
    await fleet.api("GET", path);
  await fleet.api("POST", "/rollouts/1/clear");
  await fleet.api("POST", "/rollouts/1/cancel");
  for (const device of devices) await device.poll();
  for (let tick = 0; tick < 9; tick += 1) await fleet.wait(1);
  const later = { id: "boot-1", spanMs: 1000 };
  for (const device of devices) await device.request("POST", "counters", { body: later });
  await fleet.api("DELETE", "/devices/device-0007");
  assert.ok(statements.texts.size > 40, `${statements.texts.size} statements`);
  assert.deepEqual(statements.scans(), []);
});

test("a scan is found where there is one", async (t) => {
  const statements = new Statements(t);
  const fleet = await TestFleet.open(t);
  statements.begin();
  await fleet.publish({ version: "1.1.0" });
  await fleet.api("POST", "/rollouts/preview", { releaseVersion: "1.1.0" });
  const scans = statements.scans().filter((scan) => scan.startsWith("SCAN devices"));
  assert.ok(scans.length > 0, "a preview looks at all devices, in a thread of its own");
});
