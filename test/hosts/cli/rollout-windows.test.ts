import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { temporaryFolder } from "../../support/command-line.ts";
import { TestFleet } from "../fleet/test-fleet.ts";
import { runCommand } from "./run-command.ts";

test("a rollout with windows in each device's zone says when the last one's will have come", async (t) => {
  const fleet = await TestFleet.open(t);
  const url = await fleet.server.app.listen({ host: "127.0.0.1", port: 0 });
  const run = (...line: string[]) => runCommand(...line, "--fleet", url);
  for (const [id, timezone] of [
    ["tokyo", "Asia/Tokyo"],
    ["lost", null],
  ] as const) {
    const device = await fleet.addDevice(id);
    device.runs("1.0.0", "0a".repeat(32));
    await device.poll();
    if (timezone !== null) await run("device", "set", id, "--timezone", timezone);
  }
  await fleet.publish({ version: "1.1.0" });
  const file = join(temporaryFolder(t), "windows.json");
  const evening = [{ days: ["fri"], start: "18:00", minutes: 60 }];
  const groups = { hospital: { install: [] } };
  writeFileSync(file, JSON.stringify({ install: evening, groups }));
  const flags = ["--windows", file, "--time-zone", "device", "--start"];
  const created = await run("rollout", "create", "--release", "1.1.0", ...flags);
  assert.equal(created.exitCode, 0, created.stderr);
  const previewed = await run("rollout", "preview", "--release", "1.1.0", ...flags.slice(0, 4));
  assert.match(previewed.stdout, /^windows: the last device's will have come by 2027-01-15T09:00/m);
  const shown = await run("rollout", "show", "1");
  assert.match(
    shown.stdout,
    /^windows: the last device's will have come by 2027-01-15T09:00:00\.000Z$/m,
  );
  assert.match(
    shown.stdout,
    /^ {2}1 devices wait for a time zone: sluice device set ID --timezone/m,
  );
  assert.match(shown.stdout, /^ {2}without the groups that have windows of their own: hospital$/m);
});
