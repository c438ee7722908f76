import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { sql } from "kysely";
import { FleetDatabase } from "../../../../hosts/fleet/storage/database.ts";
import { addEvent, listEvents } from "../../../../hosts/fleet/storage/events.ts";
import { temporaryFolder } from "../../../support/command-line.ts";
import { TestFleet } from "../test-fleet.ts";

test("a change waits for another program's lock while everything else goes on", async (t) => {
  const file = join(temporaryFolder(t), "fleet.sqlite");
  const fleet = await TestFleet.open(t, { databaseFile: file });
  const [seen, changed] = await fleet.addDevices(2);
  assert.ok(seen && changed);
  await seen.poll();
  const other = new DatabaseSync(file);
  t.after(() => other.close());
  other.exec("begin immediate");
  // The lock is let go by what is served meanwhile: a thread that waits for it never gets there.
  const change = changed.request("PUT", "configData", {
    body: { data: { site: "attic" } },
  });
  const idle = await seen.poll();
  assert.ok(idle);
  const shown = await fleet.inject({ method: "GET", url: `/api/v1/devices/${changed.id}` });
  assert.equal(shown.statusCode, 200, "what is committed can be read");
  other.exec("rollback");
  assert.equal((await change).statusCode, 200);
});

test("a lock that is never let go is told as such, and passes without a restart", async (t) => {
  const file = join(temporaryFolder(t), "fleet.sqlite");
  const fleet = await TestFleet.open(t, { databaseFile: file });
  const [device] = await fleet.addDevices(1);
  assert.ok(device);
  await device.poll();
  const other = new DatabaseSync(file);
  t.after(() => other.close());
  other.exec("begin immediate");
  const options = { body: { data: { site: "attic" } } };
  const refused = await Promise.all([
    device.request("PUT", "configData", options),
    fleet.inject({
      method: "POST",
      url: "/api/v1/devices",
      payload: { id: "new", hardware: "esp32c3-b" },
    }),
  ]);
  for (const { statusCode, headers } of refused) {
    assert.equal(statusCode, 503);
    assert.ok(Number(headers["retry-after"]) > 0);
  }
  assert.equal(refused[1].json().error, "database-locked");
  other.exec("rollback");
  assert.equal((await device.request("PUT", "configData", options)).statusCode, 200);
});

test("many changes in a row leave the others their turn", async (t) => {
  const database = await FleetDatabase.open(join(temporaryFolder(t), "fleet.sqlite"), {
    unixMs: () => 5,
  });
  t.after(() => database.close());
  let turns = 0;
  let isOver = false;
  const count = (): void => {
    turns += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  const writes = Array.from({ length: 300 }, (_, index) =>
    database.write((unit) => addEvent(unit.db, { kind: String(index) }, 5)),
  );
  await Promise.all(writes);
  isOver = true;
  assert.ok(turns > 3, `${turns} turns of others during 300 changes`);
  const last = await listEvents(database.queries, { after: 299, limit: 10 });
  assert.deepEqual(
    last.map(({ kind }) => kind),
    ["299"],
  );
});

test("a full database is told as such, keeps what it has, and goes on once there is room", async (t) => {
  const database = await FleetDatabase.open(":memory:", { unixMs: () => 5 });
  t.after(() => database.close());
  const add = (bytes: number) =>
    database.write(async ({ db }) => {
      await addEvent(db, { kind: "first", details: {} }, 5);
      await addEvent(db, { kind: "second", details: { text: "x".repeat(bytes) } }, 5);
    });
  await add(10);
  await database.write(({ db }) => sql`pragma max_page_count = 1`.execute(db));
  await assert.rejects(add(1_000_000), /database or disk is full/);
  assert.equal(database.problem?.reason, "disk-full");
  await database.write(({ db }) => sql`pragma max_page_count = 100000`.execute(db));
  await add(1_000_000);
  assert.equal((await listEvents(database.queries, { after: 0, limit: 100 })).length, 4);
});
