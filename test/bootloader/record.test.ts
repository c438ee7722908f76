// What a bootloader boardBootloader of itself: compiled with MCUboot's macros as a build sets them,
// read by the firmware's parser.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { type BootloaderRecord, parseBootloaderRecord } from "../../src/image/bootloader-record.ts";
import { boardBootloader } from "../support/board-bootloader.ts";

const root = resolve(import.meta.dirname, "../..");
const here = resolve(import.meta.dirname, "record");
const source = join(root, "bootloader/hook/record.c");
const includes = [join(here, "stubs"), join(import.meta.dirname, "hook/stubs")];
const strict = ["-std=c11", "-Wall", "-Wextra", "-Werror", ...includes.flatMap((at) => ["-I", at])];

/** What conf/*.conf and partitions/4m.conf come to in MCUboot's own macros. */
const ours = {
  MCUBOOT_SWAP_USING_MOVE: "1",
  MCUBOOT_SIGN_EC256: "",
  MCUBOOT_VALIDATE_PRIMARY_SLOT: "",
  MCUBOOT_DOWNGRADE_PREVENTION: "1",
  MCUBOOT_DOWNGRADE_PREVENTION_SECURITY_COUNTER: "1",
  MCUBOOT_IMAGE_ACCESS_HOOKS: "",
  MCUBOOT_MAX_IMG_SECTORS: "448",
  CONFIG_BOOT_WATCHDOG_INSTALL_TIMEOUT_AT_BOOT: "1",
  CONFIG_BOOT_WATCHDOG_TIMEOUT_MS: "60000",
};

type Macros = Readonly<Record<string, string | null>>;
/** Null takes a macro of ours away. */
const builds: ReadonlyArray<readonly [string, Macros, Partial<BootloaderRecord>]> = [
  ["ours", {}, {}],
  [
    "what sysbuild makes for Espressif chips",
    {
      MCUBOOT_SWAP_USING_MOVE: null,
      MCUBOOT_OVERWRITE_ONLY: "",
      MCUBOOT_SIGN_EC256: null,
      MCUBOOT_VALIDATE_PRIMARY_SLOT: null,
    },
    { mode: "overwrite-only", signature: "none", validatesPrimary: false },
  ],
  [
    "swap using offset",
    { MCUBOOT_SWAP_USING_MOVE: null, MCUBOOT_SWAP_USING_OFFSET: "1" },
    { mode: "swap-using-offset" },
  ],
  ["scratch, the default", { MCUBOOT_SWAP_USING_MOVE: null }, { mode: "swap-using-scratch" }],
  [
    "one slot",
    { MCUBOOT_SWAP_USING_MOVE: null, MCUBOOT_SINGLE_APPLICATION_SLOT: "1" },
    { mode: "other" },
  ],
  ["a build without the hook", { MCUBOOT_IMAGE_ACCESS_HOOKS: null }, { trialBoots: 1 }],
  [
    "a build without the watchdog",
    { CONFIG_BOOT_WATCHDOG_INSTALL_TIMEOUT_AT_BOOT: null },
    { watchdogMs: 0 },
  ],
  [
    "downgrade prevention by version",
    { MCUBOOT_DOWNGRADE_PREVENTION_SECURITY_COUNTER: "0" },
    { downgradePrevention: "version" },
  ],
  ["none", { MCUBOOT_DOWNGRADE_PREVENTION: null }, { downgradePrevention: "none" }],
  ["RSA", { MCUBOOT_SIGN_EC256: null, MCUBOOT_SIGN_RSA: "" }, { signature: "rsa" }],
  ["Ed25519", { MCUBOOT_SIGN_EC256: null, MCUBOOT_SIGN_ED25519: "" }, { signature: "ed25519" }],
  ["an alignment of 32", { MCUBOOT_BOOT_MAX_ALIGN: "32" }, { maxAlignBytes: 32 }],
  ["16 MiB of flash", { MCUBOOT_MAX_IMG_SECTORS: "1984" }, { imageSectorsMax: 1984 }],
];

if (spawnSync("gcc", ["--version"]).status !== 0) {
  test("the record", { skip: "skipped: no gcc to compile it with" }, () => {});
} else {
  const folder = mkdtempSync(join(tmpdir(), "sluice-record-"));
  after(() => rmSync(folder, { recursive: true }));
  for (const [what, change, differs] of builds)
    test(`a bootloader boardBootloader what it was built with: ${what}`, () => {
      const macros: Macros = { ...ours, ...change };
      const defined = Object.entries(macros).flatMap(([name, value]) =>
        value === null ? [] : [`-D${name}=${value}`],
      );
      const program = join(folder, "dump");
      run("gcc", [...strict, ...defined, join(here, "dump.c"), source, "-o", program]);
      assert.deepEqual(parseBootloaderRecord(run(program, [])), { ...boardBootloader, ...differs });
    });
}

test("the linker is told to keep it, and the build looks for it", () => {
  const module = readFileSync(join(root, "bootloader/zephyr/CMakeLists.txt"), "utf8");
  assert.match(module, /zephyr_library_sources\([^)]*\.\.\/hook\/record\.c/);
  assert.match(module, /-Wl,-u,sluice_bootloader_record/);
  const check = readFileSync(join(root, "bootloader/zephyr/check_bootloader.cmake"), "utf8");
  assert.match(check, /symbols MATCHES "\[DdRr\] sluice_bootloader_record\\n"/);
});

function run(command: string, options: readonly string[]): Uint8Array {
  const { status, stdout, stderr } = spawnSync(command, options);
  assert.equal(status, 0, `${command} ${options.join(" ")}\n${stderr}`);
  return stdout;
}
