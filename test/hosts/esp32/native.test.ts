// The natives of the boards, with every warning as an error: for this machine, and for the chip
// where its compiler is.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";

const root = resolve(import.meta.dirname, "../../..");
const natives = join(root, "hosts/esp32/native");
const stubs = join(import.meta.dirname, "stubs");
const mode = "-DCONFIG_MCUBOOT_BOOTLOADER_MODE_SWAP_USING_MOVE=1";
const strict = ["-std=c17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", mode, "-I", stubs];

/** Without a radio and with one: link.c differs. */
const networks: readonly (readonly string[])[] = [[], ["-DCONFIG_WIFI=1"]];

const compilers = [
  { name: "this machine", commands: ["gcc"], flags: [] },
  {
    name: "rv32imc",
    commands: [`${process.env["CROSS_COMPILE"] ?? ""}gcc`, "riscv64-unknown-elf-gcc"],
    flags: ["-march=rv32imc", "-mabi=ilp32", "-ffreestanding", "-I", join(stubs, "bare")],
  },
];

const sources = readdirSync(natives).filter((file) => file.endsWith(".c"));

test("there are natives to compile", () => {
  assert.ok(sources.length > 0);
});

for (const { name, commands, flags } of compilers) {
  const gcc = commands.find((command) => compilesFor(command, flags));
  for (const source of sources) {
    const rule = `${source} compiles without a warning for ${name}`;
    if (gcc === undefined)
      test(rule, { skip: `skipped: none of ${commands.join(", ")} compiles for it` }, () => {});
    else
      test(rule, () => {
        for (const network of networks)
          compile(gcc, [...strict, ...network, ...flags, join(natives, source)]);
      });
  }
}

function compile(gcc: string, options: readonly string[]): void {
  const { status, stderr } = spawnSync(gcc, options, { encoding: "utf8" });
  assert.equal(status, 0, stderr);
}

function compilesFor(command: string, flags: readonly string[]): boolean {
  const tried = spawnSync(command, [...flags, "-fsyntax-only", "-x", "c", "/dev/null"]);
  return tried.status === 0;
}
