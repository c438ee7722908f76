// A data folder of which only a part came back from a backup is told; a whole one, and what a kill
// or a power cut leaves, is not.
import assert from "node:assert/strict";
import { copyFileSync, cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { FleetOptions } from "../../../hosts/fleet/options.ts";
import { ServedMark, servedMarkFile } from "../../../hosts/fleet/storage/served-mark.ts";
import { temporaryFolder } from "../../support/command-line.ts";
import { TestFleet } from "./test-fleet.ts";

interface Data {
  readonly folder: string;
  readonly file: string;
  readonly options: Partial<FleetOptions>;
}

function dataIn(folder: string): Data {
  const file = join(folder, "fleet.sqlite");
  const artifactsFolder = join(folder, "artifacts");
  return { folder, file, options: { databaseFile: file, artifactsFolder, readinessEveryMs: 0 } };
}

/** Starts, serves for some minutes, and leaves the folder as a stopped server does. */
async function served(t: TestContext, data: Data, laterSeconds = 0): Promise<void> {
  const fleet = await TestFleet.open(t, data.options, laterSeconds);
  await fleet.addDevice(`device-${laterSeconds}`);
  for (let ticks = 0; ticks < 30; ticks += 1) await fleet.wait(10);
  await fleet.server.close();
}

async function problems(t: TestContext, data: Data, laterSeconds: number): Promise<string[]> {
  const fleet = await TestFleet.open(t, data.options, laterSeconds);
  const { problems: told } = await fleet.api("GET", "/ready");
  await fleet.server.close();
  return told.map(({ reason, message }: { reason: string; message: string }) => {
    assert.ok(message.length > 40 && !message.includes("\n"), message);
    return reason;
  });
}

test("a database that came back alone is told at each start, until somebody decides", async (t) => {
  const data = dataIn(temporaryFolder(t));
  await served(t, data);
  copyFileSync(data.file, `${data.file}.backup`);
  await served(t, data, 1000);
  copyFileSync(`${data.file}.backup`, data.file);
  assert.deepEqual(await problems(t, data, 2000), ["database-older"]);
  assert.deepEqual(await problems(t, data, 3000), ["database-older"]);
  await served(t, data, 4000); // longer than what it lacks
  assert.deepEqual(await problems(t, data, 5000), ["database-older"]);
  rmSync(servedMarkFile(data.file));
  assert.deepEqual(await problems(t, data, 6000), []);
  assert.deepEqual(await problems(t, data, 7000), []);
});

test("a server that runs is ready again as soon as its operator has removed the mark", async (t) => {
  const data = dataIn(temporaryFolder(t));
  await served(t, data);
  copyFileSync(data.file, `${data.file}.backup`);
  await served(t, data, 1000);
  copyFileSync(`${data.file}.backup`, data.file);
  const fleet = await TestFleet.open(t, data.options, 2000);
  const ready = async (): Promise<boolean> => (await fleet.api("GET", "/ready")).ready;
  assert.equal(await ready(), false);
  const { message } = (await fleet.api("GET", "/ready")).problems[0];
  assert.match(
    message,
    /older copy: it knows \d+ min of service less than .*fleet\.sqlite\.served/,
  );
  rmSync(servedMarkFile(data.file));
  assert.equal(await ready(), true);
  await fleet.wait(10);
  assert.equal(await ready(), true);
  assert.ok(existsSync(servedMarkFile(data.file)), "and it is marked from here on");
});

test("a database that is gone, with the mark left, is told too", async (t) => {
  const data = dataIn(temporaryFolder(t));
  await served(t, data);
  for (const end of ["", "-wal", "-shm"]) rmSync(data.file + end, { force: true });
  assert.deepEqual(await problems(t, data, 2000), ["database-older"]);
});

test("a whole folder that came back, and one of before there were marks, is ready", async (t) => {
  const data = dataIn(temporaryFolder(t));
  await served(t, data);
  const backup = temporaryFolder(t);
  cpSync(data.folder, backup, { recursive: true });
  await served(t, data, 1000);
  assert.deepEqual(await problems(t, dataIn(backup), 2000), []);
  rmSync(servedMarkFile(data.file));
  assert.deepEqual(await problems(t, data, 2000), []);
});

test("a mark that was not written, or is torn, after the database was says nothing", async (t) => {
  const data = dataIn(temporaryFolder(t));
  await served(t, data);
  const mark = readFileSync(servedMarkFile(data.file));
  await served(t, data, 1000);
  writeFileSync(servedMarkFile(data.file), mark); // as a kill before its writing leaves it
  assert.deepEqual(await problems(t, data, 2000), []);
  for (const torn of ["", "{", '{"serviceMs":', "\0\0\0\0", "[]", '{"serviceMs":"9"}']) {
    writeFileSync(servedMarkFile(data.file), torn);
    assert.deepEqual(await problems(t, data, 3000), [], JSON.stringify(torn));
  }
});

test("a kill at any moment of a mark's writing raises no alarm", async (t) => {
  // What the database has is on the disk before the mark is written: at each moment of a run.
  const file = join(temporaryFolder(t), "fleet.sqlite");
  let stored = 0;
  for (let now = 1; now < 50; now += 1) {
    const mark = new ServedMark(file, stored);
    assert.equal(mark.problem(), null, `before ${now}`);
    stored = now * 10; // committed
    assert.equal(new ServedMark(file, stored).problem(), null, `killed before the mark of ${now}`);
    await mark.advance(stored);
    assert.equal(new ServedMark(file, stored).problem(), null, `killed after the mark of ${now}`);
  }
  assert.equal(new ServedMark(file, stored - 1).problem()?.reason, "database-older");
});

/** A server as a kill leaves it: the database, and what is not in it yet in the log. */
async function killed(t: TestContext, data: Data, laterSeconds: number): Promise<string> {
  const copy = temporaryFolder(t);
  const fleet = await TestFleet.open(t, data.options, laterSeconds);
  await fleet.addDevice(`killed-${laterSeconds}`);
  cpSync(data.folder, copy, { recursive: true });
  await fleet.server.close();
  return copy;
}

for (const [name, fromOlder, fromNewer] of [
  ["a database beside the log of a newer one", [""], ["-wal", "-shm"]],
  ["a database beside the log of an older one", ["-wal", "-shm"], [""]],
  ["a database beside the log of a newer one, without its index", [""], ["-wal"]],
] as const)
  test(`${name} is refused, and both are left as they are`, async (t) => {
    const data = dataIn(temporaryFolder(t));
    const older = await killed(t, data, 0);
    for (const start of [100, 200]) await served(t, data, start);
    const newer = await killed(t, data, 1000);
    const mixed = dataIn(temporaryFolder(t));
    cpSync(newer, mixed.folder, { recursive: true });
    for (const end of ["-wal", "-shm"]) rmSync(mixed.file + end, { force: true });
    for (const end of fromOlder) copyFileSync(join(older, `fleet.sqlite${end}`), mixed.file + end);
    for (const end of fromNewer) copyFileSync(join(newer, `fleet.sqlite${end}`), mixed.file + end);
    const before = [readFileSync(mixed.file), readFileSync(`${mixed.file}-wal`)];
    for (let tries = 0; tries < 2; tries += 1)
      await assert.rejects(TestFleet.open(t, mixed.options, 2000), {
        name: "DatabaseRefusedError",
        message: /of another age than its log .*restore both from one backup/,
      });
    assert.deepEqual([readFileSync(mixed.file), readFileSync(`${mixed.file}-wal`)], before);
  });

test("a database is taken with the log that a kill left, start after start", async (t) => {
  let data = dataIn(temporaryFolder(t));
  for (let start = 0; start < 6; start += 1) {
    data = dataIn(await killed(t, data, start * 100));
    const fleet = await TestFleet.open(t, data.options, start * 100 + 50);
    assert.equal((await fleet.api("GET", "/devices")).items.length, start + 1);
    if (start % 2 === 0) await fleet.server.close();
    else data = dataIn(copyOf(t, data.folder));
  }
});

function copyOf(t: TestContext, folder: string): string {
  const copy = temporaryFolder(t);
  cpSync(folder, copy, { recursive: true });
  return copy;
}
