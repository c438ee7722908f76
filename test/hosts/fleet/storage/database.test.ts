import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { FleetDatabase } from "../../../../hosts/fleet/storage/database.ts";
import { addEvent, listEvents, pruneEvents } from "../../../../hosts/fleet/storage/events.ts";
import { moveIdsOn } from "../../../../hosts/fleet/storage/sequences.ts";

const clock = { unixMs: () => 5 };

async function database(context: TestContext, file = ":memory:"): Promise<FleetDatabase> {
  const opened = await FleetDatabase.open(file, clock);
  context.after(() => opened.close());
  return opened;
}

async function kinds(from: FleetDatabase): Promise<string[]> {
  const events = await listEvents(from.queries, { after: 0, limit: 100 });
  return events.map(({ kind }) => kind);
}

test("undoes all of a unit of work that throws, and tells memory nothing", async (t) => {
  const opened = await database(t);
  let told = false;
  const failing = opened.write(async (unit) => {
    unit.onCommit(() => {
      told = true;
    });
    await addEvent(unit.db, { kind: "lost" }, unit.nowUnixMs);
    throw new Error("on purpose");
  });
  await assert.rejects(failing, /on purpose/);
  await opened.write((unit) => addEvent(unit.db, { kind: "kept" }, unit.nowUnixMs));
  assert.deepEqual(await kinds(opened), ["kept"]);
  assert.equal(told, false);
});

test("runs units of work one after another, memory included", async (t) => {
  const opened = await database(t);
  let memory = 0;
  await Promise.all(
    Array.from({ length: 20 }, () =>
      opened.write(async (unit) => {
        const seen = memory;
        await addEvent(unit.db, { kind: String(seen) }, unit.nowUnixMs);
        unit.onCommit(() => {
          memory = seen + 1;
        });
      }),
    ),
  );
  assert.equal(memory, 20);
});

test("finds everything again after it was closed, and migrates nothing twice", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-database-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "fleet.sqlite");
  const first = await FleetDatabase.open(file, clock);
  await first.write((unit) => addEvent(unit.db, { kind: "kept" }, unit.nowUnixMs));
  await first.close();
  assert.deepEqual(await kinds(await database(t, file)), ["kept"]);
});

test("refuses a file that is no database", async () => {
  await assert.rejects(FleetDatabase.open(import.meta.filename, clock), /is no SQLite database/);
});

test("a device that says much pushes out its own events, never those of others", async (t) => {
  const opened = await database(t);
  const add = (deviceId: string | null, kind: string) =>
    opened.write((unit) =>
      addEvent(unit.db, { kind, ...(deviceId && { deviceId }) }, unit.nowUnixMs),
    );
  await add(null, "rollout-started");
  await add("quiet", "quiet");
  for (let index = 0; index < 50; index++) await add("loud", String(index));
  await add("second", "second");
  while (!(await opened.write((unit) => pruneEvents(unit.db, { count: 5, bytes: 1000 }))));
  assert.deepEqual(await kinds(opened), ["rollout-started", "quiet", "48", "49", "second"]);
});

test("gaps of the ids, as after an outage, take no events away", async (t) => {
  const opened = await database(t);
  await opened.write((unit) => addEvent(unit.db, { kind: "before" }, unit.nowUnixMs));
  await opened.write((unit) => moveIdsOn(unit.db, 86_400_000));
  await opened.write((unit) => addEvent(unit.db, { kind: "after" }, unit.nowUnixMs));
  await opened.write((unit) => pruneEvents(unit.db, { count: 1000, bytes: 1000 }));
  assert.deepEqual(await kinds(opened), ["before", "after"]);
});

test("takes texts as parameters, never as SQL", async (t) => {
  const opened = await database(t);
  const kind = "x'); drop table events; --";
  await opened.write((unit) => addEvent(unit.db, { kind }, unit.nowUnixMs));
  assert.deepEqual(await kinds(opened), [kind]);
});
