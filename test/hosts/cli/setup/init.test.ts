// One folder with keys, signed metadata and the configuration of a server.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { exitCodes } from "../../../../hosts/cli/command/exit.ts";
import { readConfiguration } from "../../../../hosts/cli/options/configuration.ts";
import { sluice, temporaryFolder } from "../../../support/command-line.ts";

function passphrase(t: TestContext, value = "correct horse battery"): void {
  const before = process.env["SLUICE_PASSPHRASE"];
  process.env["SLUICE_PASSPHRASE"] = value;
  t.after(() => {
    if (before === undefined) delete process.env["SLUICE_PASSPHRASE"];
    else process.env["SLUICE_PASSPHRASE"] = before;
  });
}

test("makes keys, a root of trust and a configuration, closed to others", async (t) => {
  passphrase(t);
  const folder = join(temporaryFolder(t), "my");
  const made = await sluice("init", folder, "--port", "8123");
  assert.equal(made.exitCode, exitCodes.ok, made.stderr);
  assert.match(
    made.stdout,
    /sluice fleet serve --config .*\n.*device simulate .*\n.*release ship /,
  );
  assert.ok(made.stdout.split("\n").every((line) => line.length <= 80 + folder.length));
  const found = readConfiguration(folder, true);
  assert.deepEqual([found.fleet, found.port], ["http://127.0.0.1:8123", 8123]);
  assert.deepEqual(
    readdirSync(join(folder, "keys"))
      .filter((name) => name.endsWith(".pem"))
      .sort(),
    ["image-1.pem", "online-1.pem", "root-1.pem", "root-2.pem", "root-3.pem", "targets-1.pem"],
  );
  for (const name of ["admin-token", "sluice.json", "keys/root-1.pem"])
    assert.equal(statSync(join(folder, name)).mode & 0o077, 0, name);
  assert.equal(statSync(folder).mode & 0o077, 0);
  assert.match(readFileSync(join(folder, "admin-token"), "utf8"), /^[\w-]{32}\n$/);
  const verified = await sluice("trust", "verify", "--config", folder);
  assert.equal(verified.exitCode, exitCodes.ok, verified.stderr);
  const audit = await sluice("audit", "verify", "--config", folder);
  assert.match(audit.stdout + audit.stderr, /3 entries, each signed and in its place/);
});

test("a folder that is in use is left alone, and an empty one taken", async (t) => {
  passphrase(t);
  const folder = temporaryFolder(t);
  const mine = join(folder, "mine");
  mkdirSync(mine);
  writeFileSync(join(mine, "notes.txt"), "mine");
  const refused = await sluice("init", mine);
  assert.equal(refused.exitCode, exitCodes.usage);
  assert.match(refused.stderr, /is not empty: choose a folder of its own/);
  assert.deepEqual(readdirSync(mine), ["notes.txt"]);
  const empty = join(folder, "empty");
  mkdirSync(empty);
  assert.equal((await sluice("init", empty)).exitCode, exitCodes.ok);
  const again = await sluice("init", empty);
  assert.equal(again.exitCode, exitCodes.usage);
  assert.match(again.stderr, /has a configuration already: use it by --config/);
});

test("one that was cut off is made anew", async (t) => {
  passphrase(t);
  const folder = join(temporaryFolder(t), "my");
  const draft = join(folder, "..", ".my.unfinished");
  mkdirSync(join(draft, "keys"), { recursive: true });
  writeFileSync(join(draft, "keys", "root-1.pem"), "half");
  assert.equal((await sluice("init", folder)).exitCode, exitCodes.ok);
  assert.equal(existsSync(draft), false);
  assert.notEqual(readFileSync(join(folder, "keys", "root-1.pem"), "utf8"), "half");
});

test("a short passphrase makes nothing", async (t) => {
  passphrase(t, "short");
  const folder = join(temporaryFolder(t), "my");
  const refused = await sluice("init", folder);
  assert.match(refused.stderr, /the passphrase has 5 characters; give at least/);
  assert.deepEqual(
    [existsSync(folder), existsSync(join(folder, "..", ".my.unfinished"))],
    [false, false],
  );
});
