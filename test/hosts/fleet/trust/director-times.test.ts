import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { FleetDatabase } from "../../../../hosts/fleet/storage/database.ts";
import { noteRemovedTime } from "../../../../hosts/fleet/storage/director-times.ts";
import { limits } from "../../../../hosts/fleet/terms/limits.ts";
import { DirectorTimes } from "../../../../hosts/fleet/trust/director-times.ts";
import { temporaryFolder } from "../../../support/command-line.ts";

const startUnixMs = 1_800_000_000_000;
const day = 86_400_000;
const keys = ["aa", "bb"];
const orders: readonly (readonly number[])[] = [
  [0, 30, 0],
  [0, -30, 0],
  [30, 0, -30],
  [-365, 365, 0],
  [1, 2, 3, 2, 1, 0, -1],
];

async function scene(context: TestContext, file = join(temporaryFolder(context), "f.sqlite")) {
  const clock = { nowUnixMs: startUnixMs, unixMs: () => clock.nowUnixMs };
  const open = async () => {
    const database = await FleetDatabase.open(file, clock, "off");
    return { database, times: new DirectorTimes(database, clock) };
  };
  return { file, clock, open };
}

for (const days of orders)
  test(`versions only grow and times never go back while the clock is ${days} days off, restarts in between`, async (context) => {
    const { clock, open } = await scene(context);
    let last = { version: 0, timeUnixMs: 0 };
    let highestUnixMs = 0;
    for (const ahead of days) {
      const { database, times } = await open();
      clock.nowUnixMs = startUnixMs + ahead * day;
      highestUnixMs = Math.max(highestUnixMs, clock.nowUnixMs);
      for (let asked = 0; asked < 3; asked += 1) {
        const told = await times.next("lamp", keys);
        assert.ok(told.version > last.version, `${told.version} after ${last.version}`);
        assert.equal(told.timeUnixMs, highestUnixMs, "no further ahead than it was ever told");
        last = told;
      }
      assert.equal((await times.next("other", keys)).timeUnixMs >= clock.nowUnixMs, true);
      await database.close();
    }
  });

test("a device that asked while the clock was right is not drawn ahead by others", async (context) => {
  const { clock, open } = await scene(context);
  const { database, times } = await open();
  context.after(() => database.close());
  clock.nowUnixMs += 30 * day;
  await times.next("early", keys);
  clock.nowUnixMs = startUnixMs;
  assert.equal((await times.next("lamp", keys)).timeUnixMs, startUnixMs);
});

test("a restored backup moves past what was told after it", async (context) => {
  const { file, clock, open } = await scene(context);
  const first = await open();
  await first.times.next("lamp", keys);
  await first.database.close();
  const backup = `${file}.backup`;
  copyFileSync(file, backup);
  const later = await open();
  clock.nowUnixMs += 7 * day;
  const before = await later.times.next("lamp", keys);
  await later.database.close();
  copyFileSync(backup, file);
  clock.nowUnixMs += 1000;
  const restored = await open();
  context.after(() => restored.database.close());
  const told = await restored.times.next("lamp", keys);
  assert.ok(told.version > before.version && told.timeUnixMs > before.timeUnixMs);
});

test("two questions of one device at once have two versions", async (context) => {
  const { open } = await scene(context);
  const { database, times } = await open();
  context.after(() => database.close());
  const told = await Promise.all(Array.from({ length: 8 }, () => times.next("lamp", keys)));
  assert.equal(new Set(told.map(({ version }) => version)).size, 8);
});

test("a time counts while the root names all keys that told it, as on a device", async (context) => {
  const { clock, open } = await scene(context);
  const { database, times } = await open();
  context.after(() => database.close());
  const far = startUnixMs + 30 * day;
  clock.nowUnixMs = far;
  const { version } = await times.next("lamp", ["aa"]);
  clock.nowUnixMs = startUnixMs;
  assert.equal(await times.latest(["aa"], far), 0, "beyond what counts");
  assert.equal(await times.latest(["aa"], far + 1), far);
  assert.equal(await times.latest(["bb"], far + 1), 0);
  assert.equal((await times.next("lamp", ["bb", "aa"])).timeUnixMs, far);
  assert.deepEqual(await times.ahead(["aa", "bb"], far), {
    count: 1,
    latestUnixMs: far,
    deviceIds: ["lamp"],
  });
  const healed = await times.next("lamp", ["bb"]);
  assert.equal(healed.timeUnixMs, startUnixMs);
  assert.ok(healed.version > version, "versions grow all the same");
  assert.equal(await times.ahead(["bb"], far), null);
});

test("a clock that tells no time of documents tells no device anything", async (context) => {
  const { clock, open } = await scene(context);
  const { database, times } = await open();
  context.after(() => database.close());
  for (const wrong of [-1, Date.UTC(9999, 6), 8.64e15]) {
    clock.nowUnixMs = wrong;
    await assert.rejects(times.next("lamp", keys), /is no time of this server/);
  }
  clock.nowUnixMs = startUnixMs;
  assert.equal((await times.next("lamp", keys)).timeUnixMs, startUnixMs);
});

test("what devices that are gone were told is kept, of a bounded number", async (context) => {
  const { file, open } = await scene(context);
  const { database } = await open();
  context.after(() => database.close());
  const direct = new DatabaseSync(file);
  context.after(() => direct.close());
  const count = limits.removedTimesKeptMax;
  direct.exec(`insert into director_times (device_id, version, told_time, director_keys, removed_service_ms)
    with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count + 5})
    select 'gone-' || i, i, i, 'aa', i from n`);
  await database.write(({ db }) => noteRemovedTime(db, "none", 1));
  const row = direct
    .prepare("select count(*) as n, min(version) as least from director_times")
    .get();
  assert.deepEqual({ ...row }, { n: count, least: 6 });
});
