import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseEvents } from "../../../hosts/fleet/routes/ddi/bodies.ts";
import {
  decodeEvent,
  decodeEvents,
  encodeEvent,
  encodeEvents,
  eventBytesMax,
  eventsPerRequestMax,
  eventTextCharactersMax,
  type RecordedEvent,
  type UpdateEvent,
  updateEventTypes,
} from "../../../src/protocol/events.ts";
import { encodeJson, type JsonObject } from "../../../src/protocol/json.ts";
import { anyRecordedEvent, eventExamples, exampleOf } from "./update-events.ts";

const recorded = (event: UpdateEvent, more: Partial<RecordedEvent> = {}): RecordedEvent => ({
  id: "1a2b3c4d.7-3",
  event,
  atUptimeMs: 12_345,
  unixMs: 1_800_000_000_000,
  signalDbm: -67,
  batteryPercent: 80,
  ...more,
});
const serverReads = (body: Uint8Array) => parseEvents(JSON.parse(new TextDecoder().decode(body)));

test("there are 14 events", () => {
  assert.equal(updateEventTypes.length, 14);
  assert.deepEqual(eventExamples.map(({ type }) => type).sort(), [...updateEventTypes].sort());
});

test("an event is what the server's route takes, field by field", () => {
  assert.deepEqual(encodeEvent(recorded(exampleOf("update.download.failed"))), {
    id: "1a2b3c4d.7-3",
    type: "update.download.failed",
    atUptimeMs: 12_345,
    unixMs: 1_800_000_000_000,
    details: {
      signalDbm: -67,
      batteryPercent: 80,
      version: "1.2.0",
      reason: "network",
      bytes: 9,
      retries: 3,
    },
  });
});

for (const event of eventExamples)
  test(`${event.type} comes back as it was, and the server takes it`, () => {
    const unknown = { unixMs: null, signalDbm: null, batteryPercent: null };
    for (const one of [recorded(event), recorded(event, unknown)]) {
      assert.deepEqual(decodeEvent(encodeEvent(one)), one);
      const body = encodeEvents([one]);
      assert.deepEqual(decodeEvents(body), [one]);
      const { id, atUptimeMs, unixMs } = one;
      const [taken] = serverReads(body) ?? [];
      assert.deepEqual(
        { ...taken, details: {} },
        { id, type: event.type, atUptimeMs, unixMs, details: {} },
      );
    }
  });

test("any events come back as they were, in bounded bytes", () => {
  fc.assert(
    fc.property(fc.array(anyRecordedEvent, { maxLength: 4 }), (events) => {
      const body = encodeEvents(events);
      assert.deepEqual(decodeEvents(body), events);
      assert.notEqual(serverReads(body), null);
      for (const event of events) assert.ok(encodeJson(encodeEvent(event)).length <= eventBytesMax);
    }),
  );
});

test("what is beyond its bounds is brought into them: telling must not stop an update", () => {
  const odd = recorded(
    {
      type: "update.download.failed",
      version: 'a"b\\cäö\u0000'.padEnd(500, "x"),
      reason: "\ud83d".repeat(100),
      bytes: -5,
      retries: 1e9,
    },
    { atUptimeMs: Number.NaN, unixMs: -1, signalDbm: -67.4, batteryPercent: 100.2 },
  );
  const event = decodeEvent(encodeEvent(odd));
  assert.deepEqual(event, {
    ...recorded({
      type: "update.download.failed",
      version: "a?b?c???".padEnd(eventTextCharactersMax, "x"),
      reason: "?".repeat(eventTextCharactersMax),
      bytes: 0,
      retries: 65_535,
    }),
    atUptimeMs: 0,
    unixMs: 0,
    signalDbm: -67,
    batteryPercent: 100,
  });
});

test("whatever the firmware says, the event can be decoded and fits", () => {
  const text = fc.string({ unit: "binary", maxLength: 80 });
  const number = fc.double();
  fc.assert(
    fc.property(text, text, number, number, number, (version, reason, bytes, retries, at) => {
      const event: UpdateEvent = {
        type: "update.download.failed",
        version,
        reason,
        bytes,
        retries,
      };
      const one = recorded(event, {
        atUptimeMs: at,
        unixMs: at,
        signalDbm: bytes,
        batteryPercent: at,
      });
      const encoded = encodeEvent(one);
      assert.notEqual(decodeEvent(encoded), null);
      assert.ok(encodeJson(encoded).length <= eventBytesMax);
    }),
  );
});

const base = encodeEvent(recorded(exampleOf("update.download.failed")));
const details = base["details"] as JsonObject;
const refusals: ReadonlyArray<readonly [string, JsonObject]> = [
  ["no id", without(base, "id")],
  ["an id without a sequence", { ...base, id: "1a2b3c4d.7" }],
  ["an id of odd characters", { ...base, id: "a b-1" }],
  ["an unknown type", { ...base, type: "update.unknown" }],
  ["a type that every object has", { ...base, type: "constructor" }],
  ["no uptime", without(base, "atUptimeMs")],
  ["an uptime as text", { ...base, atUptimeMs: "5" }],
  ["a negative time", { ...base, unixMs: -1 }],
  ["no details", without(base, "details")],
  ["details that are an array", { ...base, details: [] }],
  ["a missing field", { ...base, details: without(details, "reason") }],
  ["a number as reason", { ...base, details: { ...details, reason: 5 } }],
  ["null where a text must be", { ...base, details: { ...details, reason: null } }],
  ["a reason of 65 characters", { ...base, details: { ...details, reason: "x".repeat(65) } }],
  ["a reason with a line feed", { ...base, details: { ...details, reason: "a\nb" } }],
  ["a fraction of bytes", { ...base, details: { ...details, bytes: 1.5 } }],
  ["too many bytes", { ...base, details: { ...details, bytes: 2 ** 32 } }],
  ["101 percent of battery", { ...base, details: { ...details, batteryPercent: 101 } }],
  ["a signal as text", { ...base, details: { ...details, signalDbm: "-67" } }],
];
for (const [what, object] of refusals)
  test(`refuses ${what}`, () => {
    assert.equal(decodeEvent(object), null);
    assert.equal(decodeEvents(encodeJson([object])), null);
  });

function without(object: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}

test("unknown fields are ignored, and unknown conditions may be absent", () => {
  const event = exampleOf("update.download.failed");
  const more = { ...base, more: 1, details: { ...details, more: true } };
  assert.deepEqual(decodeEvent(more), recorded(event));
  const less = {
    ...without(base, "unixMs"),
    details: without(without(details, "signalDbm"), "batteryPercent"),
  };
  const unknown = { unixMs: null, signalDbm: null, batteryPercent: null };
  assert.deepEqual(decodeEvent(less), recorded(event, unknown));
});

test("a request is bounded in events, and its body must be an array of them", () => {
  const one = recorded(exampleOf("update.health.ok"));
  const full = Array.from({ length: eventsPerRequestMax }, () => one);
  assert.equal(decodeEvents(encodeEvents(full))?.length, eventsPerRequestMax);
  assert.throws(() => encodeEvents([...full, one]), RangeError);
  const tooMany = encodeJson([...full, one].map(encodeEvent));
  assert.equal(decodeEvents(tooMany), null);
  for (const body of ["", "{}", "[1]", "[[]]", "null", "[{}]"])
    assert.equal(decodeEvents(new TextEncoder().encode(body)), null, body);
  assert.deepEqual(decodeEvents(new TextEncoder().encode("[]")), []);
});

test("mutated and truncated bodies give events or null, and never throw", () => {
  const body = encodeEvents(eventExamples.map((event) => recorded(event)));
  for (let length = 0; length < body.length; length += 7)
    assert.equal(decodeEvents(body.subarray(0, length)), null);
  fc.assert(
    fc.property(fc.nat(body.length - 1), fc.nat(255), (at, byte) => {
      const mutated = body.slice();
      mutated[at] = byte;
      const events = decodeEvents(mutated);
      if (events !== null) assert.deepEqual(decodeEvents(encodeEvents(events)), events);
    }),
  );
});
