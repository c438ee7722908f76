// The hook in C: compiled with every warning as an error, then run natively over flash in memory.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";

const root = resolve(import.meta.dirname, "../..");
const here = resolve(import.meta.dirname, "hook");
const hook = join(root, "bootloader/hook/trial_boot.c");
const warnings = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-I", join(here, "stubs")];
const allowed = [
  "boot_read_swap_state_by_id",
  "flash_area_close",
  "flash_area_erase",
  "flash_area_open",
  "flash_area_read",
  "flash_area_write",
];

if (spawnSync("gcc", ["--version"]).status !== 0) {
  test("the trial-boot hook", { skip: "skipped: no gcc to compile it with" }, () => {});
} else {
  const build = mkdtempSync(join(tmpdir(), "sluice-hook-"));
  after(() => rmSync(build, { recursive: true }));

  for (const align of [8, 16, 32])
    test(`the hook compiles without a warning for a largest write of ${align} bytes`, () => {
      gcc([`-DMCUBOOT_BOOT_MAX_ALIGN=${align}`, "-fsyntax-only", hook]);
    });

  test("the hook calls nothing but what it may", () => {
    const object = join(build, "hook.o");
    gcc(["-O2", "-fno-stack-protector", "-U_FORTIFY_SOURCE", "-c", hook, "-o", object]);
    const wanted = run("nm", ["-u", object]).match(/\w+$/gm) ?? [];
    const library = ["memcpy", "memset", "_GLOBAL_OFFSET_TABLE_"];
    const others = wanted.filter((name) => name !== "U" && !library.includes(name)).sort();
    assert.deepEqual(others, allowed);
  });

  for (const align of [8, 32]) {
    const program = join(build, `scenarios-${align}`);
    const sources = ["scenarios.c", "cuts.c", "flash.c"].map((name) => join(here, name));
    gcc([`-DMCUBOOT_BOOT_MAX_ALIGN=${align}`, "-I", here, ...sources, hook, "-o", program]);
    const lines = spawnSync(program, { encoding: "utf8" }).stdout.trim().split("\n");
    for (const line of lines) {
      const [, verdict, rule] = line.match(/^(ok|not ok) - ([^:]+)/) ?? [];
      test(`the hook, ${align}-byte alignment: ${rule}`, () => assert.equal(verdict, "ok", line));
    }
    test(`the scenarios for ${align}-byte alignment ran to their end`, () => {
      assert.match(lines.at(-1) ?? "", /no pair of cuts makes an unconfirmed image stay/);
    });
  }
}

function gcc(extra: readonly string[]): void {
  run("gcc", [...warnings, ...extra]);
}

function run(command: string, options: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, options, { encoding: "utf8" });
  assert.equal(status, 0, `${command} ${options.join(" ")}\n${stderr}`);
  return stdout;
}
