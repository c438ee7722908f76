// What an export wrote, an import reads back unchanged.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { exitCodes } from "../../../hosts/cli/command/exit.ts";
import { temporaryFolder } from "../../support/command-line.ts";
import { hardware, TestFleet } from "../fleet/test-fleet.ts";
import { type CommandRun, runCommand } from "./run-command.ts";

async function scene(t: TestContext, devices: number) {
  const fleet = await TestFleet.open(t);
  await fleet.addDevices(devices);
  const url = await fleet.server.app.listen({ host: "127.0.0.1", port: 0 });
  const device = (...words: string[]): Promise<CommandRun> =>
    runCommand("device", ...words, "--fleet", url);
  return { fleet, device, folder: temporaryFolder(t) };
}

const word = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+/-]{0,10}$/);
const words = fc.uniqueArray(word, { maxLength: 4 });
const device = fc.record({
  region: fc.option(word),
  timezone: fc.option(fc.constantFrom("Europe/Berlin", "Etc/GMT+5", "UTC")),
  connectivity: fc.option(fc.constantFrom("wifi", "satellite")),
  criticality: fc.option(fc.constantFrom("low", "critical")),
  bootloader: fc.option(word),
  tags: words,
  groups: words,
});

for (const format of ["csv", "jsonl"])
  test(`an export is unchanged when it is imported, and brings a changed fleet back: ${format}`, async (t) => {
    const { fleet, device: run, folder } = await scene(t, 4);
    const file = join(folder, `fleet.${format}`);
    let id = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(device, { minLength: 1, maxLength: 4 }), async (facts) => {
        for (const [index, { tags, groups, ...fields }] of facts.entries()) {
          const path = `/devices/device-000${index}`;
          const shown = await fleet.api("GET", path);
          const body = {
            ...fields,
            tags: { remove: shown.tags, add: tags },
            groups: { remove: shown.groups, add: groups },
          };
          await fleet.api("PATCH", path, body);
        }
        const exported = await run("export", "--format", format, "--out", file);
        assert.equal(exported.exitCode, exitCodes.ok, exported.stderr);
        const same = await run("import", file);
        assert.match(same.stdout, /^4 devices: 0 new, 0 changed, 4 unchanged; 0 values/);
        await fleet.api("PATCH", "/devices/device-0000", {
          region: `other-${id++}`,
          tags: { add: ["another"] },
        });
        await run("import", file, "--apply");
        const again = await run("export", "--format", format);
        assert.equal(again.stdout, readFileSync(file, "utf8"));
      }),
      { numRuns: 15 },
    );
  });

test("tells what would change, takes the file with --apply, and registers with --register", async (t) => {
  const { fleet, device: run, folder } = await scene(t, 1);
  const file = join(folder, "devices.csv");
  writeFileSync(file, `id,hardware,region\ndevice-0000,,eu\nlamp,${hardware},eu\n`);
  const refused = await run("import", file);
  assert.equal(refused.exitCode, exitCodes.negative);
  assert.match(refused.stdout, /^LINE +COLUMN +VALUE +RULE\n/);
  assert.match(refused.stdout, /\n3 +id +lamp +no device is known by this id/);
  assert.match(refused.stderr, /nothing was changed: .* has 2 defects\n$/);
  writeFileSync(file, `id,hardware,region\ndevice-0000,${hardware},eu\nlamp,${hardware},eu\n`);
  const told = await run("import", file, "--register");
  assert.match(told.stdout, /^2 devices: 1 new, 1 changed, 0 unchanged; 0 values taken away\n$/);
  assert.match(told.stderr, /add --apply/);
  assert.equal((await fleet.api("GET", "/devices")).items.length, 1);
  const done = await run("import", file, "--register", "--apply");
  assert.equal(done.exitCode, exitCodes.ok, done.stderr);
  assert.equal((await fleet.api("GET", "/devices/lamp")).region, "eu");
});

test("says what it needs: the format, a file that is there", async (t) => {
  const { device: run, folder } = await scene(t, 0);
  const file = join(folder, "devices.txt");
  writeFileSync(file, "id\n");
  const unnamed = await run("import", file);
  assert.equal(unnamed.exitCode, exitCodes.usage);
  assert.match(unnamed.stderr, /give --format csv, jsonl, json/);
  assert.equal((await run("import", file, "--format", "csv")).exitCode, exitCodes.ok);
  const missing = await run("import", join(folder, "missing.csv"));
  assert.equal(missing.exitCode, exitCodes.input);
});
