import assert from "node:assert/strict";
import { test } from "node:test";
import { DataStore } from "../../../src/config/data-store.ts";
import {
  type ApplicationData,
  type Migration,
  Migrations,
} from "../../../src/config/migrations.ts";
import type { KeyValue } from "../../../src/ports/board.ts";
import type { JsonObject } from "../../../src/protocol/json.ts";
import {
  afterAct,
  CuttableKeyValue,
  forEachCut,
  forEachFlashCut,
  mountStorage,
  storageFlash,
} from "../../support/storage-cuts.ts";

const steps: readonly Migration[] = [1, 2].map((from) => ({
  from,
  to: from + 1,
  run: (data) => ({ ...data, schema: from + 1 }),
}));
/** Of two values, so that a part and a head can be cut apart. */
const content = (mark: string): JsonObject => ({ text: mark.repeat(1000) });

const open = (keyValue: KeyValue): Migrations => new Migrations(new DataStore(keyValue), steps);

function boot(
  keyValue: KeyValue,
  schema: number,
): { migrations: Migrations; data: ApplicationData } {
  const migrations = open(keyValue);
  const begun = migrations.begin(schema);
  assert.ok(begun.ok, JSON.stringify(begun));
  return { migrations, data: begun.data };
}

type Act = (keyValue: KeyValue) => void;
const write =
  (schema: number, mark: string): Act =>
  (keyValue) =>
    assert.deepEqual(boot(keyValue, schema).data.write(content(mark)), { ok: true });
const begin =
  (schema: number): Act =>
  (keyValue) =>
    void boot(keyValue, schema);
const change =
  (schema: number, name: "commit" | "discard" | "release"): Act =>
  (keyValue) =>
    assert.deepEqual(boot(keyValue, schema).migrations[name](), { ok: true });

/** What an earlier and a later firmware would find: all that a cut must not mix. */
function seen(keyValue: () => KeyValue): string {
  return JSON.stringify(
    [1, 2].map((schema) => {
      const result = open(keyValue()).begin(schema);
      return result.ok ? result.data.read() : result.reason;
    }),
  );
}

const histories: ReadonlyArray<{
  readonly name: string;
  readonly history: readonly Act[];
  readonly act: Act;
}> = [
  { name: "the first write", history: [begin(1)], act: write(1, "a") },
  { name: "a write", history: [write(1, "a")], act: write(1, "b") },
  { name: "a migration", history: [write(1, "a")], act: begin(2) },
  { name: "a trial without data", history: [begin(1)], act: begin(2) },
  { name: "the first write on trial", history: [begin(1), begin(2)], act: write(2, "b") },
  { name: "a write on trial", history: [write(1, "a"), begin(2)], act: write(2, "b") },
  { name: "a commit", history: [write(1, "a"), write(2, "b")], act: change(2, "commit") },
  { name: "a discard", history: [write(1, "a"), write(2, "b")], act: change(2, "discard") },
  { name: "the earlier firmware's boot", history: [write(1, "a"), write(2, "b")], act: begin(1) },
  {
    name: "the earlier firmware's boot after the commit",
    history: [write(1, "a"), write(2, "b"), change(2, "commit")],
    act: begin(1),
  },
  {
    name: "a release",
    history: [write(1, "a"), write(2, "b"), change(2, "commit")],
    act: change(2, "release"),
  },
];

for (const { name, history, act } of histories) {
  test(`${name}: a cut at any change of a key leaves what was or what comes, for either firmware`, () => {
    const before = new CuttableKeyValue();
    for (const earlier of history) earlier(before);
    const after = afterAct(before, act);
    const wanted = [before, after].map((storage) => seen(() => storage.clone()));
    const cuts = forEachCut(before, act, (storage, where) => {
      assert.ok(wanted.includes(seen(() => storage.clone())), where);
      forEachCut(storage, open, (again) =>
        assert.equal(
          seen(() => again.clone()),
          seen(() => storage.clone()),
          where,
        ),
      );
      const recovered = afterAct(storage, open);
      assert.ok(recovered.values.size <= 7, `${where}: ${recovered.values.size} keys`);
      act(recovered);
      assert.equal(
        seen(() => recovered.clone()),
        wanted[1],
        `${where}: done again`,
      );
    });
    assert.ok(cuts >= 2, `${cuts} cuts`);
  });

  test(`${name}: a cut at any flash operation leaves what was or what comes`, () => {
    const flash = storageFlash(5);
    for (const earlier of history) earlier(mountStorage(flash));
    const after = flash.clone();
    act(mountStorage(after));
    const wanted = [flash, after].map((chip) => seen(() => mountStorage(chip.clone())));
    forEachFlashCut(flash, act, (cut, where) => {
      assert.ok(wanted.includes(seen(() => mountStorage(cut.clone()))), where);
    });
  });
}

test("an update during the soak: a cut leaves what the committed firmware wrote, and at most loses the older original", () => {
  const before = new CuttableKeyValue();
  for (const act of [write(1, "a"), write(2, "b"), change(2, "commit")]) act(before);
  forEachCut(before, begin(3), (storage, where) => {
    const committed = boot(storage.clone(), 2);
    assert.deepEqual(committed.data.read(), content("b"), where);
    assert.deepEqual(boot(storage, 3).data.read(), { ...content("b"), schema: 3 }, where);
    assert.deepEqual(boot(storage, 2).data.read(), content("b"), where);
  });
});
