import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../support/command-line.ts";
import { TestFleet } from "../fleet/test-fleet.ts";
import { runCommand } from "./run-command.ts";

const install = [{ days: ["sun"], start: "02:00", minutes: 120 }];

test("sets, lists and removes the windows of a group", async (t) => {
  const fleet = await TestFleet.open(t);
  const url = await fleet.server.app.listen({ host: "127.0.0.1", port: 0 });
  const run = (...line: string[]) => runCommand(...line, "--fleet", url);
  const file = join(temporaryFolder(t), "windows.json");
  writeFileSync(file, JSON.stringify({ install }));
  const flags = ["--windows", file];
  const zoneless = await run("window", "set", "hospital", ...flags);
  assert.notEqual(zoneless.exitCode, 0);
  assert.match(zoneless.stderr, /timeZone of the windows is time-zone-missing/);
  const set = await run("window", "set", "hospital", ...flags, "--time-zone", "device");
  assert.equal(set.exitCode, 0, set.stderr);
  assert.match(set.stdout, /every rollout respects the windows of hospital now/);
  const listed = await run("window", "list", "--json");
  const { group, windows } = JSON.parse(listed.stdout)[0];
  assert.deepEqual(
    { group, windows },
    { group: "hospital", windows: { timeZone: "device", install } },
  );
  assert.match((await run("window", "list")).stdout, /^hospital +device /m);
  assert.equal((await run("window", "remove", "hospital")).exitCode, 0);
  const again = await run("window", "remove", "hospital");
  assert.notEqual(again.exitCode, 0);
  assert.match(again.stderr, /hospital has no windows of its own/);
});
