import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { sluice, temporaryFolder } from "../../support/command-line.ts";
import { TestFleet } from "./test-fleet.ts";

const command = join(import.meta.dirname, "..", "..", "..", "hosts", "cli", "main.ts");

/** A data folder of a server that was stopped. */
async function dataFolder(context: TestContext): Promise<{ folder: string; file: string }> {
  const folder = temporaryFolder(context);
  const file = join(folder, "fleet.sqlite");
  const fleet = await TestFleet.open(context, { databaseFile: file });
  await fleet.addDevices(3);
  await fleet.server.close();
  return { folder, file };
}

const broken: readonly (readonly [string, (file: string) => void, RegExp])[] = [
  ["rubbish", (file) => writeFileSync(file, Buffer.alloc(5000, 0x5a)), /is no SQLite database/],
  ["shorter than a header", (file) => writeFileSync(file, "SQLite"), /is no SQLite database/],
  ["cut off", (file) => truncateSync(file, 20_000), /is cut off: it has 20000 of its \d+ bytes/],
  ["damaged inside", (file) => overwrite(file, 4096 * 2, 4096), /is damaged/],
  ["of a newer server", (file) => addMigration(file), /of a newer server.*0999-future/],
  [
    "without a table",
    (file) => change(file, "drop table server_outages"),
    /damaged \(it lacks server_outages\./,
  ],
  [
    "without a column",
    (file) => change(file, "alter table devices drop column reason"),
    /is damaged \(it lacks devices\.reason\)/,
  ],
  [
    "without a step of its past",
    (file) => change(file, "delete from kysely_migration where name like '0003%'"),
    /is damaged \(its tables did not go through 0003-/,
  ],
  [
    "older than its tables",
    (file) => change(file, "delete from kysely_migration where name > '0005'"),
    /is damaged \(/,
  ],
  ["of another program", (file) => replaceByAnother(file), /another program's.*customers/],
];
for (const [name, damage, words] of broken)
  test(`a database that is ${name} is refused in one line, and left as it is`, async (t) => {
    const { folder, file } = await dataFolder(t);
    damage(file);
    const before = readFileSync(file);
    const { exitCode, stderr } = await sluice("fleet", "serve", "--data", folder, "--port", "0");
    assert.match(stderr, words);
    assert.equal(exitCode, 65, stderr);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
    assert.deepEqual(readFileSync(file), before);
  });

const brokenFolders: readonly (readonly [string, (folder: string) => void, RegExp])[] = [
  [
    "a folder as its database",
    (folder) => asFolder(folder, "fleet.sqlite"),
    /fleet\.sqlite is a folder/,
  ],
  [
    "a folder as its token key",
    (folder) => asFolder(folder, "fleet.token-key"),
    /token-key is no key/,
  ],
  [
    "the token key of another",
    (folder) => writeFileSync(join(folder, "fleet.token-key"), `${"ab".repeat(32)}\n`),
    /token key .* is of another database/,
  ],
  [
    "metadata that is none",
    (folder) => {
      mkdirSync(join(folder, "trust", "metadata"), { recursive: true });
      writeFileSync(join(folder, "trust", "metadata", "1.root.json"), "garbage");
    },
    /1\.root\.json is no metadata of ours/,
  ],
];
for (const [name, damage, words] of brokenFolders)
  test(`a data folder with ${name} is refused in one line`, async (t) => {
    const { folder } = await dataFolder(t);
    damage(folder);
    const { exitCode, stderr } = await sluice("fleet", "serve", "--data", folder, "--port", "0");
    assert.match(stderr, words);
    assert.equal(exitCode, 65, stderr);
    assert.equal(stderr.trim().split("\n").length, 1, stderr);
  });

test("a lock that is none is told as such", async (t) => {
  const { folder } = await dataFolder(t);
  for (const damage of [
    () => writeFileSync(join(folder, ".fleet.sqlite.lock"), "garbage".repeat(1000)),
    () => asFolder(folder, ".fleet.sqlite.lock"),
  ]) {
    damage();
    const { exitCode, stderr } = await sluice("fleet", "serve", "--data", folder, "--port", "0");
    assert.match(stderr, /\.fleet\.sqlite\.lock cannot be locked/);
    assert.equal(exitCode, 69, stderr);
  }
});

test("an empty host, as of a variable that is not set, does not open the server to everybody", async (t) => {
  const { folder } = await dataFolder(t);
  const { exitCode, stderr } = await sluice("fleet", "serve", "--data", folder, "--host", "");
  assert.equal(exitCode, 2, stderr);
  assert.match(stderr, /--host is empty/);
});

function asFolder(folder: string, name: string): void {
  rmSync(join(folder, name), { force: true });
  mkdirSync(join(folder, name));
}

function change(file: string, statement: string): void {
  const database = new DatabaseSync(file);
  database.exec(statement);
  database.close();
}

test("a host that is unknown and a port that is taken are refused in one line", async (t) => {
  const { folder } = await dataFolder(t);
  const serve = (...more: string[]) => sluice("fleet", "serve", "--data", folder, ...more);
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  t.after(() => other.close());
  const { port } = other.address() as { port: number };
  const taken = await serve("--port", String(port));
  assert.equal(taken.exitCode, 69, taken.stderr);
  assert.match(taken.stderr, /another program uses the port/);
  const unknown = await serve("--port", "0", "--host", "nowhere.invalid");
  assert.equal(unknown.exitCode, 69, unknown.stderr);
  assert.match(unknown.stderr, /nowhere\.invalid/);
});

test("a folder that cannot be one is refused in one line", async (t) => {
  const folder = temporaryFolder(t);
  writeFileSync(join(folder, "file"), "");
  const { exitCode, stderr } = await sluice("fleet", "serve", "--data", join(folder, "file", "x"));
  assert.equal(exitCode, 65, stderr);
  mkdirSync(join(folder, "data", "fleet.sqlite"), { recursive: true });
  const second = await sluice("fleet", "serve", "--data", join(folder, "data"), "--port", "0");
  assert.equal(second.exitCode, 65, second.stderr);
});

test("a second server on a folder is refused with the first one's name, until that ends", async (t) => {
  const { folder, file } = await dataFolder(t);
  const argv = [command, "fleet", "serve", "--data", folder, "--port", "0"];
  const first = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "ignore"] });
  t.after(() => first.kill("SIGKILL"));
  await once(createInterface({ input: first.stdout }), "line");
  const { exitCode, stderr } = await sluice("fleet", "serve", "--data", folder, "--port", "0");
  assert.equal(exitCode, 69, stderr);
  assert.match(stderr, new RegExp(`process ${first.pid} on \\S+`));
  assert.match(stderr, /started at 20\d\d-/);
  const died = once(first, "exit");
  first.kill("SIGKILL");
  await died;
  const next = await TestFleet.open(t, { databaseFile: file });
  await assert.rejects(TestFleet.open(t, { databaseFile: file }), /is in use by/, "in one process");
  await next.server.close();
  await (await TestFleet.open(t, { databaseFile: file })).server.close();
});

/** A server of that folder; its first line, and what it said when it ended. */
function start(context: TestContext, data: string, ...more: string[]) {
  const argv = [command, "fleet", "serve", "--data", data, "--port", "0", ...more];
  const child = spawn(process.execPath, argv, { stdio: ["ignore", "pipe", "pipe"] });
  context.after(() => child.kill("SIGKILL"));
  let said = "";
  child.stderr.on("data", (bytes) => {
    said += bytes;
  });
  const served = once(createInterface({ input: child.stdout }), "line").then(([url]) => ({
    child,
    url: url as string,
  }));
  served.catch(() => {}); // not asked for where the server is refused
  const refused = once(child, "close").then(([exitCode]) => ({ exitCode, said }));
  return { served, refused };
}

test("of two servers that start on a folder at the same moment one serves, the other names it", async (t) => {
  const folder = temporaryFolder(t);
  symlinkSync(folder, `${folder}-link`);
  t.after(() => rmSync(`${folder}-link`));
  for (let pair = 0; pair < 4; pair += 1) {
    const both = [start(t, folder), start(t, `${folder}-link`)];
    const { child } = await Promise.any(both.map(({ served }) => served));
    const { exitCode, said } = await Promise.any(both.map(({ refused }) => refused));
    assert.equal(exitCode, 69, said);
    assert.match(said, new RegExp(`in use by a fleet server .* process ${child.pid} on `));
    const ended = once(child, "exit");
    child.kill("SIGKILL"); // and leaves its name behind
    await ended;
  }
});

test("a database that two folders lead to is one server's", async (t) => {
  const { file } = await dataFolder(t);
  const other = temporaryFolder(t);
  symlinkSync(file, join(other, "fleet.sqlite"));
  await TestFleet.open(t, { databaseFile: file });
  const second = TestFleet.open(t, { databaseFile: join(other, "fleet.sqlite") });
  await assert.rejects(second, /is in use by a fleet server/);
});

test("an IPv6 address is taken with brackets and without, and the printed URL leads there", async (t) => {
  for (const host of ["[::1]", "::1", "::"]) {
    const { served } = start(t, temporaryFolder(t), "--host", host);
    const { child, url } = await served;
    assert.match(url, /^http:\/\/\[::1\]:\d+$/);
    assert.equal((await fetch(`${url}/ready`)).status, 200);
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
});

test("takes what a server that was killed left in its WAL", async (t) => {
  const { folder, file } = await dataFolder(t);
  const fleet = await TestFleet.open(t, { databaseFile: file });
  await fleet.addDevice("late");
  const copy = join(temporaryFolder(t), "fleet.sqlite");
  for (const end of ["", "-wal"]) copyFileSync(file + end, copy + end);
  copyFileSync(join(folder, "fleet.token-key"), join(copy, "..", "fleet.token-key"));
  await fleet.server.close();
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  const restored = await TestFleet.open(t, { databaseFile: copy });
  assert.equal((await restored.api("GET", "/devices")).items.length, 4);
});

function overwrite(file: string, at: number, length: number): void {
  const bytes = readFileSync(file);
  bytes.fill(0xa5, at, at + length);
  writeFileSync(file, bytes);
}

function addMigration(file: string): void {
  const database = new DatabaseSync(file);
  database.exec("insert into kysely_migration values ('0999-future', '2027-01-01T00:00:00.000Z')");
  database.exec("pragma wal_checkpoint(truncate)");
  database.close();
}

function replaceByAnother(file: string): void {
  rmSync(file);
  const database = new DatabaseSync(file);
  database.exec("create table customers (name text)");
  database.close();
}
