import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { encode as encodeCbor } from "cborg";
import { Comparisons } from "../../../../hosts/fleet/operations/comparisons.ts";
import { observe } from "../../../../hosts/fleet/rollout/control-group.ts";
import { FleetDatabase } from "../../../../hosts/fleet/storage/database.ts";
import { type CounterReport, encodeCounters } from "../../../../src/protocol/counters.ts";
import { parsePoll } from "../../../../src/protocol/ddi.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { type TestDevice, TestFleet } from "../test-fleet.ts";
import { fleetOf, rollOut } from "./rollout-scene.ts";

const hour = 3600;

function counters(id: string, more: object = {}): object {
  return { id, spanMs: hour * 1000, ...more };
}

async function post(device: TestDevice, body: object) {
  const answer = await device.request("POST", "counters", { body });
  return answer.statusCode === 200 ? answer.json().accepted : answer.statusCode;
}

test("takes a report once, and the next one after an hour, whatever was in between", async (t) => {
  const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
  const artifactsFolder = join(temporaryFolder(t), "artifacts");
  const { fleet, devices } = await fleetOf(t, 1, { databaseFile, artifactsFolder });
  const [device] = devices as [TestDevice];
  assert.equal(await post(device, counters("b1-0")), true);
  assert.equal(await post(device, counters("b1-0")), false, "sent twice");
  const early = await device.request("POST", "counters", { body: counters("b1-1") });
  assert.equal(early.statusCode, 429);
  const waitSeconds = Number(early.headers["retry-after"]);
  assert.ok(waitSeconds > 3000 && waitSeconds <= hour, `${waitSeconds} s`);
  assert.match(early.json().message, /more often than once an hour: ask again in \d+ s/);
  await fleet.wait(1);
  await fleet.server.close();
  const again = await TestFleet.open(t, { databaseFile, artifactsFolder }, 10);
  assert.equal(await post(device.on(again), counters("b1-0")), false, "sent again to a new server");
  assert.equal(await post(device.on(again), counters("b1-1")), 429);
  await again.wait(hour);
  assert.equal(await post(device.on(again), counters("b1-1")), true);
  assert.equal(await post(device.on(again), counters("b1-0")), false, "older than the last one");
});

test("takes reports of many devices that come at once", async (t) => {
  const { devices } = await fleetOf(t, 130);
  const told = await Promise.all(devices.map((device) => post(device, counters("b1-0"))));
  assert.ok(told.every((accepted) => accepted === true));
  const again = await Promise.all(devices.map((device) => post(device, counters("b1-0"))));
  assert.ok(again.every((accepted) => accepted === false));
});

test("takes CBOR as it takes JSON", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const [device] = devices as [TestDevice];
  const answer = await fleet.inject({
    method: "POST",
    url: `/DEFAULT/controller/v1/${device.id}/counters`,
    headers: {
      host: "fleet.test",
      authorization: `TargetToken ${device.token}`,
      "content-type": "application/cbor",
    },
    payload: Buffer.from(encodeCbor(counters("b1-0"))),
  });
  assert.equal(answer.statusCode, 200, answer.body);
  assert.equal(await post(device, counters("b1-0")), false);
});

test("reads what a device of ours writes, at the ends of what it may say", async (t) => {
  const { devices } = await fleetOf(t, 2);
  const least: CounterReport = {
    id: "0123456789abcdef.1-0",
    spanMs: 0,
    started: null,
    disconnects: 0,
    heartbeatsMissed: 0,
    errorLogs: 0,
    freeMemoryBytes: null,
    batteryDrainPercent: null,
    application: {},
  };
  const names = Array.from({ length: 16 }, (_, index) => `${"n".repeat(30)}${index % 10}`);
  const most: CounterReport = {
    ...least,
    id: "0123456789abcdef.4294967295-999999",
    spanMs: 1e12,
    started: "deep-sleep",
    disconnects: 1e12,
    heartbeatsMissed: 1e12,
    errorLogs: 1e12,
    freeMemoryBytes: 2 ** 32,
    batteryDrainPercent: 99.9,
    application: Object.fromEntries(names.map((name) => [name, 1_000_000])),
  };
  for (const [index, report] of [least, most].entries()) {
    const body = JSON.parse(new TextDecoder().decode(encodeCounters(report)));
    assert.equal(await post(devices[index] as TestDevice, body), true);
  }
});

for (const [name, body, message] of [
  ["no object", [], /the body is no object/],
  ["no id", { spanMs: 1 }, /id is missing: give <bootId>-<number/],
  ["an id without a number", { id: "b1", spanMs: 1 }, /id is "b1"/],
  ["no span", { id: "b-1" }, /spanMs is missing: give 1 to 604800000/],
  ["a span of a month", counters("b-1", { spanMs: 30 * 86_400_000 }), /spanMs is "2592000000"/],
  ["a negative count", counters("b-1", { crashes: -1 }), /crashes is "-1": give a whole number/],
  ["a broken count", counters("b-1", { errorLogs: 1.5 }), /errorLogs is "1.5"/],
  ["a count of text", counters("b-1", { disconnects: "3" }), /disconnects is "3"/],
  ["too much battery", counters("b-1", { batteryDrainPercent: 101 }), /give 0 to 100/],
  ["boots in a list", counters("b-1", { boots: [1] }), /boots is an object or a list/],
  ["a reason with spaces", counters("b-1", { boots: { "a b": 1 } }), /boots\.a b is "a b"/],
  [
    "more counters than 16",
    counters("b-1", {
      application: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`c${n}`, 1])),
    }),
    /application is "17 counters": give at most 16/,
  ],
] as const)
  test(`refuses a report with ${name}, and says what it may be`, async (t) => {
    const { devices } = await fleetOf(t, 1);
    const [device] = devices as [TestDevice];
    const answer = await device.request("POST", "counters", { body });
    assert.equal(answer.statusCode, 400);
    assert.match(answer.json().message, message);
    assert.equal(await post(device, counters("b1-0")), true, "and counts it for nothing");
  });

test("tells devices that say what they run where counters go, and no other client", async (t) => {
  const { fleet, devices } = await fleetOf(t, 1);
  const [device] = devices as [TestDevice];
  const poll = await device.request("GET", "");
  assert.equal(parsePoll(poll.rawPayload)?.takesCounters, true);
  const told = poll.json()._links.counters.href;
  assert.equal(told, `http://fleet.test/DEFAULT/controller/v1/${device.id}/counters`);
  const plain = await fleet.addDevice("plain");
  assert.equal((await plain.request("GET", "")).json()._links?.counters, undefined);
});

interface Life {
  readonly fleet: TestFleet;
  readonly devices: readonly TestDevice[];
  readonly imageHash: string;
}

const stages = [
  { percent: 50, soakSeconds: 30 * 86_400 },
  { percent: 100, soakSeconds: 0 },
];

/** Half of the devices run the release, the others wait. */
async function halfUpdated(fleet: TestFleet, devices: readonly TestDevice[], more: object = {}) {
  const imageHash = await fleet.publish({ version: "1.1.0" });
  await rollOut(fleet, "1.1.0", { stages, ...more });
  for (const device of devices)
    if ((await device.offered()) !== null) await device.updates("1.1.0", imageHash);
  return { fleet, devices, imageHash };
}

/** An hour of everybody's reports; devices that run the release write `errors` to their logs. */
async function anHour({ fleet, devices, imageHash }: Life, number: number, errors: number) {
  await fleet.wait(hour);
  for (const [index, device] of devices.entries()) {
    const isUpdated = device.running?.includes(imageHash) ?? false;
    const errorLogs = isUpdated && index % 8 === number % 8 ? errors : 0;
    const body = counters(`b${isUpdated ? 2 : 1}-${number}`, { errorLogs });
    assert.equal(await post(device, body), true);
  }
  await fleet.wait(1);
}

const shown = (fleet: TestFleet) => fleet.api("GET", "/rollouts/1");

test("halts a release that no device goes back from, and tells the arithmetic", async (t) => {
  const { fleet, devices } = await fleetOf(t, 40);
  const life = await halfUpdated(fleet, devices);
  for (let number = 1; number <= 10; number += 1) await anHour(life, number, 3);
  const { state, halt, stages: now } = await shown(fleet);
  assert.equal(state, "halted");
  assert.equal(halt.reason, "control-group");
  assert.match(
    halt.sentence,
    /^errorLogs: \d+ updated devices had their first in [\d.]+ device days, 0 waiting ones in [\d.]+ device days, evidence [\d,]+ passes 175: halted$/,
  );
  assert.equal(now[0].counts["rolled-back"], 0);
  const { items } = await fleet.api("GET", "/events?limit=500");
  const event = items.find(({ kind }: { kind: string }) => kind === "rollout-halted");
  assert.equal(event.details.sentence, halt.sentence);
  await fleet.api("POST", "/rollouts/1/resume");
  for (let number = 11; number <= 14; number += 1) await anHour(life, number, 3);
  assert.equal((await shown(fleet)).state, "running", "an operator accepted it");
});

test("takes nothing but the start of a span that began with one: updated devices have just started", async (t) => {
  const { fleet, devices } = await fleetOf(t, 40);
  const { imageHash } = await halfUpdated(fleet, devices);
  for (let number = 1; number <= 10; number += 1) {
    await fleet.wait(hour);
    for (const device of devices) {
      const isUpdated = device.running?.includes(imageHash) ?? false;
      const more = isUpdated ? { boots: { software: 1 }, errorLogs: 9, disconnects: 9 } : {};
      assert.equal(await post(device, counters(`b${number}-0`, more)), true);
    }
  }
  await fleet.wait(1);
  assert.equal((await shown(fleet)).state, "running");
});

test("takes level and least effect from the policy, and what the rollout says before it", async (t) => {
  const { fleet } = await fleetOf(t, 1);
  await fleet.publish({ version: "1.1.0" });
  const control = { level: 0.01, leastEffect: { batteryDrain: 0.5 } };
  const applied = await fleet.inject({
    method: "PUT",
    url: "/api/v1/policies/careful",
    payload: { stages, control },
  });
  assert.equal(applied.statusCode, 201, applied.body);
  const of = async (more: object) =>
    (await rollOut(fleet, "1.1.0", { beside: true, ...more })).definition.control;
  assert.deepEqual(await of({}), { level: 0.05, leastEffect: {}, accepted: [] });
  const careful = { policy: "careful", stages: undefined };
  assert.deepEqual(await of(careful), { ...control, accepted: [] });
  assert.deepEqual(await of({ ...careful, control: { level: 0.2 } }), {
    ...control,
    level: 0.2,
    accepted: [],
  });
  assert.equal(await of({ ...careful, control: null }), null);
  const answer = await fleet.inject({
    method: "POST",
    url: "/api/v1/rollouts",
    payload: { name: "r", releaseVersion: "1.1.0", control: { leastEffect: { speed: 1 } } },
  });
  assert.equal(answer.statusCode, 400);
});

test("a report that is known, or comes too early, writes nothing", async (t) => {
  const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
  const { devices } = await fleetOf(t, 1, { databaseFile });
  const [device] = devices as [TestDevice];
  assert.equal(await post(device, counters("b1-0")), true);
  const looking = new DatabaseSync(databaseFile, { readOnly: true });
  t.after(() => looking.close());
  const version = () => looking.prepare("pragma data_version").get();
  const before = version();
  for (let times = 0; times < 10; times += 1) {
    assert.equal(await post(device, counters("b1-0")), false);
    assert.equal(await post(device, counters("b1-1")), 429);
  }
  assert.deepEqual(version(), before);
});

test("lets a good release and one without a control group go on", async (t) => {
  for (const [errors, more] of [
    [0, {}],
    [3, { control: null }],
  ] as const) {
    const { fleet, devices } = await fleetOf(t, 40);
    const life = await halfUpdated(fleet, devices, more);
    for (let number = 1; number <= 10; number += 1) await anHour(life, number, errors);
    assert.equal((await shown(fleet)).state, "running");
  }
});

test("goes on with what it knows after a restart, and keeps devices only while they are compared", async (t) => {
  const databaseFile = join(temporaryFolder(t), "fleet.sqlite");
  const artifactsFolder = join(temporaryFolder(t), "artifacts");
  const { fleet, devices } = await fleetOf(t, 40, { databaseFile, artifactsFolder });
  const life = await halfUpdated(fleet, devices);
  for (let number = 1; number <= 2; number += 1) await anHour(life, number, 3);
  assert.equal((await shown(fleet)).state, "running");
  await fleet.server.close();
  const again = await TestFleet.open(t, { databaseFile, artifactsFolder }, 5 * hour);
  const here = { ...life, fleet: again, devices: devices.map((device) => device.on(again)) };
  for (let number = 3; number <= 5; number += 1) await anHour(here, number, 3);
  assert.equal((await shown(again)).state, "halted", "by what came before the restart, too");
  const database = new DatabaseSync(databaseFile, { readOnly: true });
  t.after(() => database.close());
  const kept = () =>
    Number(database.prepare("select count(*) as n from compared_devices").get()?.["n"]);
  assert.equal(kept(), 40);
  await again.api("POST", "/rollouts/1/cancel");
  for (let ticks = 0; ticks < 20; ticks += 1) await again.wait(1);
  assert.equal(kept(), 0);
  const sums = () =>
    database
      .prepare("select sums from counter_cohorts")
      .all()
      .map(({ sums: text }) => JSON.parse(String(text)))
      .reduce(
        (sum, { reports, metrics }) => ({
          reports: sum.reports + reports,
          crashes: sum.crashes + metrics.crashes.amount,
        }),
        { reports: 0, crashes: 0 },
      );
  const { reports } = sums();
  await again.wait(hour);
  for (const device of here.devices) await post(device, counters("b9-9", { crashes: 2 }));
  assert.deepEqual(sums(), { reports: reports + 40, crashes: 80 });
});

test("shows sums of kinds of devices in hours that are over, page by page", async (t) => {
  const { fleet, devices } = await fleetOf(t, 6);
  for (const [index, region] of ["eu", "us", "apac"].entries())
    for (const device of devices.slice(2 * index, 2 * index + 2))
      await fleet.api("PATCH", `/devices/${device.id}`, { region });
  for (let number = 0; number < 2; number += 1) {
    for (const device of devices) assert.equal(await post(device, counters(`b1-${number}`)), true);
    await fleet.wait(hour);
  }
  const items = [];
  let after = "";
  for (let pages = 0; pages < 10; pages += 1) {
    const page = await fleet.api("GET", `/counters?limit=2${after}`);
    items.push(...page.items);
    if (page.next === null) break;
    after = `&after=${page.next}`;
  }
  assert.deepEqual(
    items.map(({ region, reports, metrics }) => [region, reports, metrics.errorLogs.hours]),
    ["apac", "eu", "us", "apac", "eu", "us"].map((region) => [region, 2, 2]),
  );
});

test("shows how each metric of a rollout stands, and what was accepted", async (t) => {
  const { fleet, devices } = await fleetOf(t, 40);
  const life = await halfUpdated(fleet, devices);
  const compared = () => fleet.api("GET", "/rollouts/1/comparison");
  assert.deepEqual((await compared()).metrics, []);
  for (let number = 1; number <= 3; number += 1) await anHour(life, number, 3);
  const { control, metrics } = await compared();
  assert.equal(control.level, 0.05);
  const errors = metrics.find(({ metric }: { metric: string }) => metric === "errorLogs");
  assert.equal(errors.accepted, false);
  assert.ok(errors.evidence > 1 && errors.evidence < errors.limit, errors.sentence);
  assert.match(errors.sentence, /evidence [\d.]+ below 175$/);
  for (let number = 4; number <= 8; number += 1) await anHour(life, number, 3);
  await fleet.api("POST", "/rollouts/1/resume");
  const after = (await compared()).metrics;
  const accepted = after.filter(({ accepted: isAccepted }: { accepted: boolean }) => isAccepted);
  assert.deepEqual(
    accepted.map(({ metric }: { metric: string }) => metric),
    ["errorLogs"],
  );
  const missing = await fleet.inject({ method: "GET", url: "/api/v1/rollouts/9/comparison" });
  assert.equal(missing.statusCode, 404);
});

test("knows no more of a comparison than what was written", async (t) => {
  const database = await FleetDatabase.open(":memory:", { unixMs: () => 0 });
  t.after(() => database.close());
  const comparisons = new Comparisons();
  const count = (isKept: boolean) =>
    database.write(async (unit) => {
      await comparisons.change(unit, 1, (comparison) =>
        observe(
          comparison,
          { totals: {}, hadEvents: new Set() },
          { stratum: "a", arm: "waiting", hour: 1, readings: { crashes: { hours: 1, amount: 0 } } },
        ),
      );
      if (!isKept) throw new Error("undone");
    });
  const readings = () =>
    database.write(async (unit) => {
      const { metrics } = await comparisons.of(unit, 1);
      return metrics["crashes"]?.strata["a"]?.now.waiting.readings ?? 0;
    });
  await count(true);
  await assert.rejects(count(false), /undone/);
  assert.equal(await readings(), 1);
  await count(true);
  assert.equal(await readings(), 2);
});
