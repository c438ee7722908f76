import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { exitCodes } from "../../../hosts/cli/command/exit.ts";
import { TestFleet } from "../fleet/test-fleet.ts";
import { type CommandRun, runCommand } from "./run-command.ts";

async function scene(t: TestContext) {
  const fleet = await TestFleet.open(t);
  const url = await fleet.server.app.listen({ host: "127.0.0.1", port: 0 });
  for (const device of await fleet.addDevices(12)) {
    device.runs("1.0.0", "a".repeat(64));
    await device.poll();
  }
  await fleet.api("PATCH", "/devices/device-0003", { region: "eu", timezone: "Europe/Berlin" });
  await fleet.publish({ version: "1.1.0" });
  const preview = (...more: string[]): Promise<CommandRun> =>
    runCommand("rollout", "preview", "--release", "1.1.0", ...more, "--fleet", url);
  return { fleet, preview };
}

test("says what a rollout would do, in words and as JSON", async (t) => {
  const { fleet, preview } = await scene(t);
  const told = await preview("--stages", "50,100", "--soak", "1h", "--rate", "1/min");
  assert.equal(told.exitCode, exitCodes.ok, told.stderr);
  for (const line of [
    /^release 1\.1\.0 would go to 12 devices: device-0000, .*, and 2 others\n/,
    /\nthey run: 1\.0\.0 \(12\)\n/,
    /\nregions: not known \(11\), eu \(1\)\n/,
    /\ntime zones: not known \(11\), Europe\/Berlin \(1\)\n/,
    /\nSTAGE +DEVICES +SOAK +ENDS AFTER\n +1 +6 +1 h +1 h 6 min\n +2 +6 +1 h +2 h 12 min\n/,
    /\nmoves [\d,]+ bytes; ends after 2 h 12 min, downloads and installations not counted\n/,
    /\nstops when more than 5 % went back, 95 % sure/,
    /\n20 % +\d+(\.\d)? % +\d\.\d +2\.0\n/,
    /\ndigest [0-9a-f]{64}\n$/,
  ])
    assert.match(told.stdout, line);
  const json = JSON.parse((await preview("--json")).stdout);
  assert.deepEqual([json.devices, json.problems], [12, []]);
  assert.equal((await fleet.api("GET", "/rollouts")).items.length, 0);
});

test("says that nobody would get it, and ends with 1", async (t) => {
  const { preview } = await scene(t);
  const told = await preview("--filter", "region==mars");
  assert.equal(told.exitCode, exitCodes.negative);
  assert.match(told.stdout, /^release 1\.1\.0 would go to 0 devices\n/);
  assert.match(told.stdout, /\nleft out, not-selected: 12 devices\n/);
  assert.match(told.stdout, /\nwould be refused, no-eligible-devices: no device may be offered/);
});

test("has no option that starts a rollout", async (t) => {
  const { preview } = await scene(t);
  const refused = await preview("--start");
  assert.equal(refused.exitCode, exitCodes.usage);
});
