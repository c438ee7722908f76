import assert from "node:assert/strict";
import { renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { FleetDatabase, type Queries } from "../../../../hosts/fleet/storage/database.ts";
import { addEvent, listEvents } from "../../../../hosts/fleet/storage/events.ts";
import { temporaryFolder } from "../../../support/command-line.ts";

const clock = { unixMs: () => 5 };
const mebibyte = 1 << 20;

/** Past the bounds of `addEvent`, which would let the others go. */
function addMebibyte(db: Queries, number: number): Promise<unknown> {
  const details = JSON.stringify({ text: "x".repeat(mebibyte) });
  return db
    .insertInto("events")
    .values({ at: 5, kind: String(number), details })
    .execute();
}

test("a long log is copied into the database meanwhile, and begins anew", async (t) => {
  const file = join(temporaryFolder(t), "fleet.sqlite");
  const database = await FleetDatabase.open(file, clock);
  for (let number = 0; number < 64; number += 1)
    await database.write(({ db }) => addMebibyte(db, number));
  const { size } = statSync(`${file}-wal`);
  assert.ok(size < 48 * mebibyte, `${size} bytes of log after 64 MiB of changes`);
  await database.close();
  const again = await FleetDatabase.open(file, clock);
  t.after(() => again.close());
  assert.equal((await listEvents(again.queries, { after: 0, limit: 100 })).length, 64);
});

test("a reader that stays does not stop changes, and the log shrinks once it is gone", async (t) => {
  const file = join(temporaryFolder(t), "fleet.sqlite");
  const database = await FleetDatabase.open(file, clock);
  t.after(() => database.close());
  const details = { text: "x".repeat(mebibyte) };
  const add = async (count: number) => {
    for (let number = 0; number < count; number += 1)
      await database.write(({ db }) => addEvent(db, { kind: String(number), details }, 5));
  };
  await add(1);
  const other = new DatabaseSync(file, { readOnly: true });
  other.exec("begin");
  other.prepare("select count(*) from events").get();
  await add(32);
  assert.ok(statSync(`${file}-wal`).size > 32 * mebibyte, "it still reads what was then");
  other.close();
  await add(64);
  const { size } = statSync(`${file}-wal`);
  assert.ok(size < 80 * mebibyte, `${size} bytes of log`);
});

test("nothing is acknowledged, and nothing more written, once a commit could not be synced", async (t) => {
  const file = join(temporaryFolder(t), "fleet.sqlite");
  const database = await FleetDatabase.open(file, clock);
  t.after(() => database.close());
  renameSync(`${file}-wal`, `${file}-elsewhere`);
  let isKnown = false;
  const add = () =>
    database.write(async ({ db, onCommit }) => {
      onCommit(() => {
        isKnown = true;
      });
      await addEvent(db, { kind: "lost", details: {} }, 5);
    });
  await assert.rejects(add(), { name: "UnsyncedError" });
  renameSync(`${file}-elsewhere`, `${file}-wal`);
  await assert.rejects(add(), { name: "UnsyncedError" }, "not even when the disk is back");
  assert.equal(isKnown, false);
  assert.equal(database.problem?.reason, "storage-failing");
  assert.match(database.problem?.message ?? "", /start the server again/);
});
