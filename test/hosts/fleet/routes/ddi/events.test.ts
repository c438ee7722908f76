import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "../../../../../hosts/fleet/terms/limits.ts";
import { encodeEvent, type RecordedEvent } from "../../../../../src/protocol/events.ts";
import { type TestDevice, TestFleet } from "../../test-fleet.ts";

function recorded(id: string): RecordedEvent {
  return {
    id,
    event: { type: "update.health.failed", version: "1.1.0", reason: "memory" },
    atUptimeMs: 5000,
    unixMs: 1_800_000_000_000,
    signalDbm: -70,
    batteryPercent: 55,
  };
}

async function send(device: TestDevice, events: readonly unknown[]) {
  const answer = await device.request("POST", "events", { body: events });
  return answer.statusCode === 200 ? answer.json() : answer.statusCode;
}

// biome-ignore lint/suspicious/noExplicitAny: a test reads the answer by hand
async function stored(fleet: TestFleet, id: string, query = ""): Promise<any> {
  return fleet.api("GET", `/devices/${id}/events${query}`);
}

test("keeps each event of a device once, by its boot and its number in it", async (t) => {
  const fleet = await TestFleet.open(t);
  const [lamp, door] = [await fleet.addDevice("lamp"), await fleet.addDevice("door")];
  const first = [recorded("b1-0"), recorded("b1-1")].map(encodeEvent);
  assert.deepEqual(await send(lamp, first), { accepted: 2, duplicates: 0 });
  assert.deepEqual(await send(lamp, first), { accepted: 0, duplicates: 2 });
  const more = [recorded("b1-1"), recorded("b2-1")].map(encodeEvent);
  assert.deepEqual(await send(lamp, more), { accepted: 1, duplicates: 1 });
  assert.deepEqual(await send(door, first), { accepted: 2, duplicates: 0 }, "of another device");
  const ids = (await stored(fleet, "lamp")).items.map(
    ({ deviceEventId }: { deviceEventId: string }) => deviceEventId,
  );
  assert.deepEqual(ids, ["b2-1", "b1-1", "b1-0"]);
});

test("zeros in front make no other event of the same number, and one request no two of one", async (t) => {
  const fleet = await TestFleet.open(t);
  const lamp = await fleet.addDevice("lamp");
  const spellings = ["b-7", "b-07", "b-000000000000007"].map((id) => encodeEvent(recorded(id)));
  assert.deepEqual(await send(lamp, spellings), { accepted: 1, duplicates: 2 });
});

test("shows what a device told, apart from what the server saw of it", async (t) => {
  const fleet = await TestFleet.open(t);
  const lamp = await fleet.addDevice("lamp");
  await send(lamp, [encodeEvent(recorded("b-1"))]);
  const { items } = await stored(fleet, "lamp");
  assert.deepEqual(
    items.map(({ kind, details }: { kind: string; details: object }) => [kind, details]),
    [
      [
        "device.update.health.failed",
        {
          atUptimeMs: 5000,
          unixMs: 1_800_000_000_000,
          signalDbm: -70,
          batteryPercent: 55,
          version: "1.1.0",
          reason: "memory",
        },
      ],
    ],
  );
  const kinds = (await stored(fleet, "lamp", "?source=all")).items.map(
    ({ kind }: { kind: string }) => kind,
  );
  assert.deepEqual(kinds, ["device.update.health.failed", "device-registered"]);
});

test("a flood of events leaves a device its newest ones, and others theirs", async (t) => {
  const fleet = await TestFleet.open(t);
  const [loud, quiet] = [await fleet.addDevice("loud"), await fleet.addDevice("quiet")];
  await send(quiet, [encodeEvent(recorded("q-1"))]);
  const requests = Math.ceil((limits.eventsPerDeviceMax + 100) / limits.eventsPerRequestMax);
  for (let request = 0; request < requests; request += 1)
    await send(
      loud,
      Array.from({ length: limits.eventsPerRequestMax }, (_, index) =>
        encodeEvent(recorded(`b-${request * limits.eventsPerRequestMax + index}`)),
      ),
    );
  let kept = 0;
  let after = "";
  for (let page = 0; page < 10; page += 1) {
    const { items, next } = await stored(fleet, "loud", `?source=all&limit=500${after}`);
    if (page === 0)
      assert.equal(items[0].deviceEventId, `b-${requests * limits.eventsPerRequestMax - 1}`);
    kept += items.length;
    if (next === null) break;
    after = `&after=${next}`;
  }
  assert.ok(kept <= limits.eventsPerDeviceMax && kept > limits.eventsPerDeviceMax * 0.9, `${kept}`);
  assert.equal((await stored(fleet, "quiet")).items.length, 1);
});

test("a flood of reports is bounded as well", async (t) => {
  const fleet = await TestFleet.open(t);
  const lamp = await fleet.addDevice("lamp");
  lamp.runs("1.0.0", "0a".repeat(32));
  await lamp.poll();
  await fleet.publish({ version: "1.1.0" });
  await fleet.api("POST", "/rollouts", { name: "r", releaseVersion: "1.1.0", start: true });
  const actionId = await lamp.offered();
  for (let report = 0; report < 300; report += 1) {
    await fleet.wait(5);
    await lamp.feedback(actionId ?? 0, "proceeding", "none", [`state=downloading`]);
  }
  const { items } = await stored(fleet, "lamp", "?source=all&limit=500");
  assert.ok(items.length > 300 && items.length <= limits.eventsPerDeviceMax);
});

const event = encodeEvent(recorded("b-1"));
for (const [name, body] of [
  ["no array", event],
  [
    "one event too many",
    Array.from({ length: 65 }, (_, index) => ({ ...event, id: `b-${index}` })),
  ],
  ["an event without an id", [{ ...event, id: undefined }]],
  ["an id without a number", [{ ...event, id: "boot" }]],
  ["an id with a number below zero", [{ ...event, id: "boot--1" }]],
  ["an id that is too long", [{ ...event, id: `${"b".repeat(65)}-1` }]],
  ["an id with a line break", [{ ...event, id: "b-1\n" }]],
  ["a type with a space", [{ ...event, type: "update now" }]],
  ["a type of 49 characters", [{ ...event, type: "u".repeat(49) }]],
  ["a time below zero", [{ ...event, unixMs: -1 }]],
  ["a time that no number holds", [{ ...event, atUptimeMs: 1e300 }]],
  ["details that nest", [{ ...event, details: { inner: {} } }]],
  ["17 details", [{ ...event, details: Object.fromEntries([...Array(17).keys()].entries()) }]],
  ["a detail of 257 characters", [{ ...event, details: { text: "x".repeat(257) } }]],
  ["one bad event among good ones", [event, { ...event, id: 7 }]],
] as const)
  test(`refuses ${name}, and keeps nothing of it`, async (t) => {
    const fleet = await TestFleet.open(t);
    const lamp = await fleet.addDevice("lamp");
    assert.equal((await lamp.request("POST", "events", { body })).statusCode, 400);
    assert.deepEqual((await stored(fleet, "lamp")).items, []);
  });
