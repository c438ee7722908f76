// npm run test:board says what it lacks, before anything is built or started.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";

const main = join(import.meta.dirname, "main.ts");

function run(parameters: readonly string[], environment: NodeJS.ProcessEnv) {
  const { PATH, HOME } = process.env;
  const options = { encoding: "utf8", env: { PATH, HOME, ...environment } } as const;
  return spawnSync(process.execPath, [main, ...parameters], options);
}

test("without its environment the board's test names what is missing and exits with 2", () => {
  const { status, stdout, stderr } = run([], {});
  assert.equal(status, 2);
  assert.equal(stdout, "");
  for (const name of [
    "ZEPHYR_BASE",
    "MODDABLE",
    "CROSS_COMPILE",
    "SLUICE_BOOTLOADER",
    "ESP32_EMULATOR",
  ])
    assert.match(stderr, new RegExp(`^${name} `, "m"));
});

test("a bootloader and an emulator that are not there are missing too", () => {
  const nowhere = { SLUICE_BOOTLOADER: "/nowhere/zephyr.bin", ESP32_EMULATOR: "/nowhere/emulator" };
  const { status, stderr } = run([], nowhere);
  assert.equal(status, 2);
  assert.match(stderr, /^SLUICE_BOOTLOADER is \/nowhere\/zephyr\.bin, /m);
  assert.match(stderr, /^ESP32_EMULATOR is \/nowhere\/emulator, /m);
});

test("a part that nobody knows is told, with those there are", () => {
  const { status, stderr } = run(["updates"], {});
  assert.equal(status, 2);
  assert.match(stderr, /no part is called "updates": .*\bupdate\b.*\bcuts\b/);
});
