import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { DataStore } from "../../../src/config/data-store.ts";
import {
  type ApplicationData,
  type BeginResult,
  type Migration,
  Migrations,
  migrationsMax,
} from "../../../src/config/migrations.ts";
import type { KeyValue } from "../../../src/ports/board.ts";
import type { JsonObject, JsonValue } from "../../../src/protocol/json.ts";
import { CuttableKeyValue } from "../../support/storage-cuts.ts";

/** Each step leaves its mark, so that a test sees which ran, and on what. */
const step = (from: number, to = from + 1): Migration => ({
  from,
  to,
  run: (data) => ({ ...data, steps: `${data["steps"] ?? ""}${from}>${to} ` }),
});
const upTo = (schema: number): Migration[] =>
  Array.from({ length: schema - 1 }, (_, index) => step(index + 1));

function open(keyValue: KeyValue, declared: readonly Migration[] = upTo(4)): Migrations {
  return new Migrations(new DataStore(keyValue, { bytesMax: 2000 }), declared);
}

function begun(result: BeginResult): ApplicationData {
  assert.ok(result.ok, JSON.stringify(result));
  return result.data;
}

/** A device whose firmware of schema 1 wrote this. */
function deviceWith(data: JsonObject = { name: "kitchen" }): CuttableKeyValue {
  const keyValue = new CuttableKeyValue();
  assert.deepEqual(begun(open(keyValue).begin(1)).write(data), { ok: true });
  return keyValue;
}

const outcome = (result: BeginResult): string => (result.ok ? result.outcome : result.reason);
const read = (keyValue: KeyValue, schema: number): JsonObject | null =>
  begun(open(keyValue).begin(schema)).read();

test("a firmware finds the data that it wrote in an earlier boot", () => {
  const keyValue = deviceWith();
  const result = open(keyValue).begin(1);
  assert.equal(outcome(result), "ready");
  assert.deepEqual(begun(result).read(), { name: "kitchen" });
});

test("a device without data has nothing to read", () => {
  assert.equal(begun(open(new CuttableKeyValue()).begin(1)).read(), null);
});

test("the first trial boot runs every step in order, on a copy", () => {
  const keyValue = deviceWith();
  const migrations = open(keyValue);
  const result = migrations.begin(4);
  assert.equal(outcome(result), "migrated");
  assert.deepEqual(begun(result).read(), { name: "kitchen", steps: "1>2 2>3 3>4 " });
  migrations.discard();
  assert.deepEqual(read(keyValue, 1), { name: "kitchen" });
});

test("a step may lead over several schemas", () => {
  const keyValue = deviceWith();
  const data = begun(open(keyValue, [step(1, 3), step(3)]).begin(4));
  assert.equal(data.read()?.["steps"], "1>3 3>4 ");
});

test("later trial boots go on with the copy and run no step again", () => {
  const keyValue = deviceWith();
  begun(open(keyValue).begin(2)).write({ name: "hall" });
  const again = open(keyValue).begin(2);
  assert.equal(outcome(again), "ready");
  assert.deepEqual(begun(again).read(), { name: "hall" });
});

test("whatever a trial writes, the firmware before it gets back what it left", () => {
  const keyValue = deviceWith();
  begun(open(keyValue).begin(2)).write({ ruined: true });
  const back = open(keyValue).begin(1);
  assert.equal(outcome(back), "restored");
  assert.deepEqual(begun(back).read(), { name: "kitchen" });
  assert.deepEqual([...keyValue.values.keys()].length, 2);
});

test("a rollback during the soak, after the commit, gets the original back as well", () => {
  const keyValue = deviceWith();
  const migrations = open(keyValue);
  begun(migrations.begin(2)).write({ name: "hall" });
  assert.deepEqual(migrations.commit(), { ok: true });
  assert.deepEqual(read(keyValue, 2), { name: "hall" });
  assert.equal(outcome(open(keyValue).begin(1)), "restored");
  assert.deepEqual(read(keyValue, 1), { name: "kitchen" });
});

test("after the soak the original is gone", () => {
  const keyValue = deviceWith();
  const migrations = open(keyValue);
  migrations.begin(2);
  migrations.commit();
  assert.deepEqual(migrations.release(), { ok: true });
  assert.equal(keyValue.values.size, 2);
  assert.deepEqual(open(keyValue).begin(1), { ok: false, reason: "data-too-new", schema: 2 });
  assert.equal(read(keyValue, 2)?.["steps"], "1>2 ");
});

test("a next update during the soak migrates what was committed", () => {
  const keyValue = deviceWith();
  const second = open(keyValue);
  second.begin(2);
  second.commit();
  assert.equal(read(keyValue, 3)?.["steps"], "1>2 2>3 ");
  assert.equal(read(keyValue, 2)?.["steps"], "1>2 ");
  assert.equal(outcome(open(keyValue).begin(1)), "data-too-new");
});

test("another firmware on trial migrates the original, not an abandoned copy", () => {
  const keyValue = deviceWith();
  begun(open(keyValue).begin(2)).write({ ruined: true });
  assert.deepEqual(read(keyValue, 3), { name: "kitchen", steps: "1>2 2>3 " });
});

test("data that is first written on trial is gone after a rollback, and the earlier firmware goes on", () => {
  const keyValue = new CuttableKeyValue();
  open(keyValue).begin(1);
  const onTrial = open(keyValue).begin(2);
  assert.equal(outcome(onTrial), "migrated");
  begun(onTrial).write({ name: "hall" });
  assert.deepEqual(read(keyValue, 2), { name: "hall" });
  assert.equal(read(keyValue, 1), null);
  assert.deepEqual(begun(open(keyValue).begin(1)).write({ name: "own" }), { ok: true });
});

test("data that was given up can neither be read nor written", () => {
  const migrations = open(deviceWith());
  const data = begun(migrations.begin(2));
  migrations.discard();
  assert.equal(data.read(), null);
  assert.deepEqual(data.write({}), { ok: false, reason: "discarded" });
});

const failures: ReadonlyArray<readonly [string, readonly Migration[], object]> = [
  ["no step from the stored schema", [step(2), step(3)], { reason: "missing-step", schema: 1 }],
  ["a step missing on the way", [step(1), step(3)], { reason: "missing-step", schema: 2 }],
  [
    "a step that leads past the firmware's schema",
    [step(1, 5)],
    { reason: "missing-step", schema: 1 },
  ],
  [
    "a step that throws",
    [
      step(1),
      {
        ...step(2),
        run: () => {
          throw new TypeError("no name");
        },
      },
      step(3),
    ],
    { reason: "step-threw", from: 2, to: 3, message: "TypeError: no name" },
  ],
  [
    "a step that answers a cycle",
    [step(1), { ...step(2), run: cycle }, step(3)],
    { reason: "step-threw", from: 2, to: 3 },
  ],
  [
    "a step that answers nothing",
    [{ ...step(1), run: () => undefined as unknown as JsonObject }],
    { reason: "step-result", from: 1, to: 2 },
  ],
  [
    "a step that answers an array",
    [{ ...step(1), run: () => [] as unknown as JsonObject }],
    { reason: "step-result", from: 1, to: 2 },
  ],
  [
    "a step that answers what is nested too deep to be read again",
    [{ ...step(1), run: () => ({ a: nested(16) }) }],
    { reason: "step-result", from: 1, to: 2 },
  ],
  [
    "a step that answers too much",
    [{ ...step(1), run: () => ({ text: "x".repeat(2000) }) }],
    { reason: "too-large", bytes: 2011, bytesMax: 2000 },
  ],
];
for (const [what, declared, failure] of failures)
  test(`${what} is a typed failure, and the data stays as it was`, () => {
    const keyValue = deviceWith();
    const before = new Map(keyValue.values);
    const result = open(keyValue, declared).begin(4);
    assert.deepEqual({ ...result, ...failure }, result);
    assert.deepEqual(keyValue.values, before);
    assert.deepEqual(read(keyValue, 1), { name: "kitchen" });
  });

function cycle(data: JsonObject): JsonObject {
  const result: Record<string, JsonValue> = { ...data };
  result["self"] = result;
  return result;
}

function nested(depth: number): JsonValue {
  return depth === 0 ? 1 : [nested(depth - 1)];
}

test("a step that changes what it was given does not reach the original", () => {
  const keyValue = deviceWith({ list: [1] });
  const run = (data: JsonObject): JsonObject => {
    (data["list"] as JsonValue[]).push(2);
    throw new Error("after the damage");
  };
  const migrations = open(keyValue, [{ ...step(1), run }]);
  assert.equal(outcome(migrations.begin(2)), "step-threw");
  assert.deepEqual(read(keyValue, 1), { list: [1] });
});

test("data that a later firmware left without an original is refused, and can be given up", () => {
  const keyValue = new CuttableKeyValue();
  begun(open(keyValue).begin(3)).write({ name: "hall" });
  const migrations = open(keyValue);
  assert.deepEqual(migrations.begin(2), { ok: false, reason: "data-too-new", schema: 3 });
  assert.deepEqual(migrations.erase(2), { ok: true });
  assert.equal(begun(migrations.begin(2)).read(), null);
});

test("damaged data reads as none, is not migrated, and can be given up", () => {
  const keyValue = deviceWith();
  keyValue.values.set("data.a", new Uint8Array(20));
  assert.equal(read(keyValue, 1), null);
  const migrations = open(keyValue);
  assert.deepEqual(migrations.begin(2), { ok: false, reason: "data-damaged" });
  migrations.erase(2);
  assert.equal(outcome(migrations.begin(2)), "ready");
});

test("a record that cannot be read is left alone", () => {
  for (const record of [
    '{"v":2}',
    "{",
    '{"v":1,"kind":"trial","copy":{"schema":1}}',
    '{"v":1,"kind":"odd","data":{"schema":1}}',
  ]) {
    const keyValue = deviceWith();
    keyValue.values.set("data", new TextEncoder().encode(record));
    const before = new Map(keyValue.values);
    assert.deepEqual(open(keyValue).begin(1), { ok: false, reason: "data-damaged" });
    assert.deepEqual(keyValue.values, before);
  }
});

test("a full storage refuses a migration and a write, and the data stays as it was", () => {
  const keyValue = deviceWith();
  const before = new Map(keyValue.values);
  for (const refusing of ["data", "data.b"]) {
    keyValue.refuses = (key) => key === refusing;
    assert.deepEqual(open(keyValue).begin(2), { ok: false, reason: "storage-error" });
    assert.deepEqual(keyValue.values, before);
  }
  keyValue.refuses = (key) => key === "data.a";
  const data = begun(open(keyValue).begin(1));
  assert.deepEqual(data.write({ other: 1 }), { ok: false, reason: "storage-error" });
  assert.deepEqual(data.read(), { name: "kitchen" });
});

test("each change that the storage refuses leaves the state, and can be tried again", () => {
  const keyValue = deviceWith();
  const migrations = open(keyValue);
  migrations.begin(2);
  for (const change of ["commit", "release"] as const) {
    keyValue.refuses = () => true;
    assert.deepEqual(migrations[change](), { ok: false, reason: "storage-error" });
    keyValue.refuses = () => false;
    assert.deepEqual(migrations[change](), { ok: true });
  }
  assert.deepEqual(read(keyValue, 2)?.["name"], "kitchen");
});

test("writes are bounded and must be readable again", () => {
  const data = begun(open(deviceWith()).begin(1));
  assert.deepEqual(data.write({ text: "x".repeat(2000) }), { ok: false, reason: "too-large" });
  assert.deepEqual(data.write({ a: nested(16) }), { ok: false, reason: "not-storable" });
  assert.deepEqual(data.read(), { name: "kitchen" });
});

test("commit, discard and release change nothing where there is nothing to change", () => {
  const keyValue = deviceWith();
  const before = new Map(keyValue.values);
  const migrations = open(keyValue);
  migrations.begin(1);
  assert.deepEqual(migrations.commit(), { ok: true });
  assert.deepEqual(migrations.discard(), { ok: true });
  assert.deepEqual(migrations.release(), { ok: true });
  assert.deepEqual(keyValue.values, before);
});

test("steps that cannot lead anywhere, and a commit before begin, are errors of the program", () => {
  const keyValue = deviceWith();
  assert.throws(() => open(keyValue, [step(2, 2)]), RangeError);
  assert.throws(() => open(keyValue, [step(3, 1)]), RangeError);
  assert.throws(() => open(keyValue, [step(1), step(1, 3)]), RangeError);
  assert.throws(() => open(keyValue, [step(0.5, 1)]), RangeError);
  assert.throws(() => open(keyValue, upTo(migrationsMax + 2)), RangeError);
  assert.throws(() => open(keyValue).begin(-1), RangeError);
  assert.throws(() => open(keyValue).begin(65_536), RangeError);
  assert.throws(() => open(keyValue).commit(), /commit before begin/);
});

/** What a device should hold, kept by rules much simpler than the code's. */
interface Model {
  confirmed: number;
  /** Per schema, what its firmware would find. */
  data: Map<number, string>;
}

test("in any order of updates, writes, rollbacks and confirms, every firmware finds its own data", () => {
  const action = fc.oneof(
    fc.record({ kind: fc.constant("write" as const), text: fc.string({ maxLength: 5 }) }),
    fc.record({ kind: fc.constant("update" as const), by: fc.integer({ min: 0, max: 2 }) }),
    fc.record({
      kind: fc.constantFrom("confirm" as const, "rollback" as const, "reboot" as const),
    }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 14 }), (actions) => {
      const keyValue = new CuttableKeyValue();
      const model: Model = { confirmed: 1, data: new Map() };
      let running = 1;
      let migrations = open(keyValue, upTo(30));
      let data = begun(migrations.begin(1));
      const boot = (schema: number): void => {
        running = schema;
        migrations = open(keyValue, upTo(30));
        data = begun(migrations.begin(schema));
      };
      for (const one of actions) {
        if (one.kind === "write") {
          assert.deepEqual(data.write({ text: one.text }), { ok: true });
          model.data.set(running, one.text);
        } else if (one.kind === "update" && running === model.confirmed) {
          const next = running + one.by;
          const old = model.data.get(running);
          if (old === undefined) model.data.delete(next);
          else model.data.set(next, old);
          boot(next);
        } else if (one.kind === "confirm") {
          assert.deepEqual(migrations.commit(), { ok: true });
          model.confirmed = running;
        } else if (one.kind === "rollback") {
          boot(model.confirmed);
        } else boot(running);
        assert.equal(data.read()?.["text"], model.data.get(running));
        assert.ok(keyValue.values.size <= 3);
      }
    }),
    { numRuns: 300 },
  );
});
