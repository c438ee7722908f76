import assert from "node:assert/strict";
import { test } from "node:test";
import { parseEvents } from "../../../../hosts/fleet/routes/ddi/bodies.ts";
import { decodeEvents, type UpdateEventType } from "../../../../src/protocol/events.ts";
import {
  type EventConditions,
  EventQueue,
  eventsPerBatchMax,
  eventsWaitingMax,
  eventWritesPerBootMax,
  lastWordsWritesReserved,
  milestonesKeptMax,
} from "../../../../src/update/agent/event-queue.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { CuttableKeyValue, forEachCut } from "../../../support/storage-cuts.ts";
import { eventExamples, exampleOf } from "../../protocol/update-events.ts";

const unknown: EventConditions = { signalDbm: null, batteryPercent: null };

/** Numbers that come one after the other, so that lives can be told apart. */
function counting(start = 0): { next(): number } {
  let drawn = start;
  const next = (): number => {
    drawn += 1;
    return drawn / 2 ** 32;
  };
  return { next };
}

function open(
  keyValue: CuttableKeyValue,
  { random = counting(), clock = new ManualClock(), conditions = unknown } = {},
): EventQueue {
  return new EventQueue({ keyValue, clock, random }, () => conditions);
}

const types = (queue: EventQueue): string[] => drain(queue, false).map(({ event }) => event.type);

/** All that waits, batch by batch; forgotten by the queue when `take` is set. */
function drain(queue: EventQueue, take = true) {
  const events = [];
  for (let batch = queue.batch(); batch !== null; batch = queue.batch()) {
    events.push(...(decodeEvents(batch.body) ?? assert.fail("not a body of events")));
    if (!take) break;
    queue.delivered(batch);
  }
  return events;
}

const add = (queue: EventQueue, ...wanted: UpdateEventType[]): string[] =>
  wanted.map((type) => queue.add(exampleOf(type)));

test("an event carries its id, the times and what the board knows", () => {
  const clock = new ManualClock();
  clock.nowMs = 1234;
  clock.unixStartMs = 1_800_000_000_000;
  const conditions = { signalDbm: -70, batteryPercent: 55 };
  const queue = open(new CuttableKeyValue(), { clock, conditions });
  const id = queue.add(exampleOf("update.health.ok"));
  assert.equal(id, "00000001.1-1");
  assert.deepEqual(drain(queue), [
    {
      id,
      event: exampleOf("update.health.ok"),
      atUptimeMs: 1234,
      unixMs: 1_800_000_001_234,
      ...conditions,
    },
  ]);
});

test("the server takes every batch", () => {
  const queue = open(new CuttableKeyValue());
  for (const event of eventExamples) queue.add(event);
  for (let batch = queue.batch(); batch !== null; batch = queue.batch()) {
    const taken = parseEvents(JSON.parse(new TextDecoder().decode(batch.body)));
    assert.deepEqual(
      taken?.map(({ id }) => id),
      batch.ids,
    );
    queue.delivered(batch);
  }
});

test("batches are the oldest events in their order, the same again until they are delivered", () => {
  const queue = open(new CuttableKeyValue());
  const ids = eventExamples.map((event) => queue.add(event));
  const first = queue.batch();
  assert.deepEqual(first?.ids, ids.slice(0, eventsPerBatchMax));
  assert.deepEqual(queue.batch(), first);
  if (first !== null) queue.delivered(first);
  assert.deepEqual(queue.batch()?.ids, ids.slice(eventsPerBatchMax, 2 * eventsPerBatchMax));
  assert.deepEqual(
    drain(queue).map(({ id }) => id),
    ids.slice(eventsPerBatchMax),
  );
});

test("each boot has its own number, and one life has one name", () => {
  const keyValue = new CuttableKeyValue();
  const bootIds = [1, 2, 3].map(() => open(keyValue).bootId);
  assert.deepEqual(bootIds, ["00000001.1", "00000001.2", "00000001.3"]);
});

test("a device that lost its storage takes another name, so that no id comes twice", () => {
  assert.equal(open(new CuttableKeyValue(), { random: counting(6) }).bootId, "00000007.1");
  const damaged = new CuttableKeyValue();
  damaged.values.set("events", new TextEncoder().encode('{"v":1,"life":"x","boot":3}'));
  assert.equal(open(damaged, { random: counting(7) }).bootId, "00000008.1");
});

test("a boot that cannot be counted takes a name of its own", () => {
  const keyValue = new CuttableKeyValue();
  open(keyValue);
  keyValue.refuses = () => true;
  const random = counting(20);
  const bootIds = [1, 2].map(() => open(keyValue, { random }).bootId);
  assert.deepEqual(bootIds, ["00000015.1", "00000016.1"]);
});

test("a restart keeps the milestones with their ids and forgets what was told in passing", () => {
  const keyValue = new CuttableKeyValue();
  const queue = open(keyValue);
  for (const event of eventExamples) queue.add(event);
  const before = drain(queue, true);
  const again = new CuttableKeyValue();
  const other = open(again);
  for (const event of eventExamples) other.add(event);
  const after = drain(open(again));
  assert.deepEqual(
    after.map(({ event }) => event.type),
    [
      "update.download.failed",
      "update.download.completed",
      "update.install.completed",
      "update.reboot.started",
      "update.reboot.completed",
      "update.health.failed",
      "update.rollback.triggered",
      "update.rollback.completed",
      "update.health.ok",
    ],
  );
  for (const event of after)
    assert.deepEqual(
      event,
      before.find(({ id }) => id === event.id),
    );
});

test("what was delivered is not sent again after a restart", () => {
  const keyValue = new CuttableKeyValue();
  const queue = open(keyValue);
  add(queue, "update.install.completed", "update.reboot.started");
  drain(queue);
  add(queue, "update.health.failed");
  assert.deepEqual(types(open(keyValue)), ["update.health.failed"]);
});

test("events of earlier boots come before those of this one", () => {
  const keyValue = new CuttableKeyValue();
  add(open(keyValue), "update.reboot.started");
  add(open(keyValue), "update.reboot.completed");
  const queue = open(keyValue);
  add(queue, "update.check.started", "update.health.ok");
  assert.deepEqual(
    drain(queue).map(({ id }) => id.split(".")[1]),
    ["1-1", "2-1", "3-1", "3-2"],
  );
});

test("a full queue drops the oldest intermediate event first, and the sequence shows the gap", () => {
  const queue = open(new CuttableKeyValue());
  add(queue, "update.install.completed", "update.check.started", "update.check.completed");
  for (let count = 3; count < eventsWaitingMax + 1; count += 1)
    add(queue, "update.download.progress");
  assert.equal(queue.waiting, eventsWaitingMax);
  const sequences = drain(queue).map(({ id }) => Number(id.split("-")[1]));
  assert.deepEqual(sequences.slice(0, 3), [1, 3, 4]);
});

test("a queue full of milestones drops the oldest of them", () => {
  const queue = open(new CuttableKeyValue());
  for (let count = 0; count <= eventsWaitingMax; count += 1) add(queue, "update.download.failed");
  assert.equal(queue.waiting, eventsWaitingMax);
  assert.equal(drain(queue)[0]?.id.split("-")[1], "2");
});

test("a milestone that is written over before it was told is told all the same", () => {
  const queue = open(new CuttableKeyValue());
  const ids = Array.from(
    { length: milestonesKeptMax + 3 },
    () => add(queue, "update.download.failed")[0],
  );
  assert.deepEqual(
    drain(queue).map(({ id }) => id),
    ids,
  );
});

test("a milestone waits in the storage alone: lost there, it is passed over and holds up nothing", () => {
  const keyValue = new CuttableKeyValue();
  const queue = open(keyValue);
  add(queue, "update.install.completed", "update.check.started", "update.health.ok");
  keyValue.values.delete("event.1");
  assert.deepEqual(types(queue), ["update.check.started", "update.health.ok"]);
  assert.equal(queue.waiting, 2);
  keyValue.values.delete("event.2");
  drain(queue);
  assert.equal(queue.waiting, 0);
});

test("the storage keeps the newest milestones, written over in a circle", () => {
  const keyValue = new CuttableKeyValue();
  const queue = open(keyValue);
  for (let count = 0; count < milestonesKeptMax + 3; count += 1)
    add(queue, "update.download.failed");
  assert.equal(keyValue.values.size, 1 + milestonesKeptMax);
  const sequences = drain(open(keyValue)).map(({ id }) => Number(id.split("-")[1]));
  assert.deepEqual(
    sequences,
    Array.from({ length: milestonesKeptMax }, (_, index) => index + 4),
  );
});

test("an update without failures takes 7 writes in its first boot and 5 in its second", () => {
  const keyValue = new CuttableKeyValue();
  const first = open(keyValue);
  for (const type of [
    "update.check.started",
    "update.check.completed",
    "update.download.started",
    "update.download.progress",
    "update.download.completed",
    "update.install.started",
    "update.install.completed",
    "update.reboot.started",
  ] as const) {
    add(first, type);
    drain(first);
  }
  const second = open(keyValue);
  for (const type of ["update.reboot.completed", "update.health.ok"] as const) {
    add(second, type);
    drain(second);
  }
  assert.deepEqual([first.writes, second.writes, keyValue.changes], [7, 5, 12]);
});

test("a long life with many failures is bounded in writes, and last words are kept all the same", () => {
  const keyValue = new CuttableKeyValue();
  const queue = open(keyValue);
  for (let count = 0; count < 200; count += 1) {
    add(queue, "update.download.failed");
    drain(queue);
  }
  assert.equal(queue.writes, eventWritesPerBootMax - lastWordsWritesReserved);
  add(queue, "update.rollback.triggered", "update.reboot.started");
  for (let count = 0; count < 200; count += 1) add(queue, "update.health.failed");
  assert.equal(queue.writes, eventWritesPerBootMax);
  assert.equal(keyValue.changes, eventWritesPerBootMax);
  const kept = types(open(keyValue));
  assert.ok(kept.includes("update.rollback.triggered") && kept.includes("update.reboot.started"));
});

test("a full storage keeps the event in memory, to be delivered in this boot", () => {
  const keyValue = new CuttableKeyValue();
  const queue = open(keyValue);
  keyValue.refuses = (key) => key.startsWith("event.");
  add(queue, "update.download.failed");
  assert.equal(drain(open(keyValue)).length, 0);
  assert.deepEqual(types(queue), ["update.download.failed"]);
});

test("damaged values are passed over", () => {
  const keyValue = new CuttableKeyValue();
  const queue = open(keyValue);
  add(queue, "update.download.failed", "update.health.failed", "update.health.ok");
  const moved = keyValue.values.get("event.1") ?? new Uint8Array();
  keyValue.values.set("event.7", moved);
  keyValue.values.set("event.2", new TextEncoder().encode('{"n":2,"e":{}}'));
  keyValue.values.set("event.4", new Uint8Array(3));
  assert.deepEqual(types(open(keyValue)), ["update.download.failed", "update.health.ok"]);
});

test("a milestone counts as new even when the delivered ones of before were lost", () => {
  const keyValue = new CuttableKeyValue();
  const queue = open(keyValue);
  add(queue, "update.install.completed", "update.reboot.started");
  drain(queue);
  for (const key of ["event.1", "event.2"]) keyValue.values.delete(key);
  add(open(keyValue), "update.health.failed");
  assert.deepEqual(types(open(keyValue)), ["update.health.failed"]);
});

test("a cut at any write leaves every milestone of before, and the one under way or not", () => {
  const before = new CuttableKeyValue();
  add(open(before), "update.install.completed", "update.reboot.started");
  const cuts = forEachCut(
    before,
    (keyValue) => {
      const queue = open(keyValue as CuttableKeyValue);
      add(queue, "update.reboot.completed");
      drain(queue);
      add(queue, "update.health.ok");
    },
    (storage, where) => {
      const found = types(open(storage));
      const sound = [
        ["update.install.completed", "update.reboot.started"],
        ["update.install.completed", "update.reboot.started", "update.reboot.completed"],
        [],
        ["update.health.ok"],
      ];
      assert.ok(
        sound.some((one) => one.join() === found.join()),
        `${where}: ${found.join()}`,
      );
    },
  );
  assert.equal(cuts, 8);
});
