// What MCUboot is built with on each board: every safety that we rely on is on, nothing contradicts
// it.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { bootloaderBuild } from "../../hosts/esp32/bootloader-build.ts";
import { sectorBytes } from "../../hosts/flash/geometry.ts";
import { flashMiBs, partitionTable, type Soc, socs } from "../../hosts/flash/partitions.ts";

const root = resolve(import.meta.dirname, "../..");

const required: Readonly<Record<string, string>> = {
  BOOT_SWAP_USING_MOVE: "y",
  BOOT_UPGRADE_ONLY: "n",
  BOOT_SIGNATURE_TYPE_ECDSA_P256: "y",
  BOOT_SIGNATURE_TYPE_NONE: "n",
  BOOT_VALIDATE_SLOT0: "y",
  MCUBOOT_DOWNGRADE_PREVENTION: "y",
  MCUBOOT_DOWNGRADE_PREVENTION_SECURITY_COUNTER: "y",
  BOOT_IMAGE_ACCESS_HOOKS: "y",
  WATCHDOG: "y",
  BOOT_WATCHDOG_SETUP_AT_BOOT: "y",
  BOOT_WATCHDOG_INSTALL_TIMEOUT_AT_BOOT: "y",
  BOOT_WATCHDOG_FEED: "y",
  BOOT_WATCHDOG_TIMEOUT_MS: "60000",
  MCUBOOT_SERIAL: "y",
  BOOT_SERIAL_NO_APPLICATION: "y",
  BOOT_SERIAL_ENTRANCE_GPIO: "n",
  BOOT_SERIAL_WAIT_FOR_DFU: "n",
  BOOT_MAX_IMG_SECTORS_AUTO: "n",
};

/** Of each group at most one may be on: Kconfig choices, and things that defeat what we require. */
const exclusive: ReadonlyArray<readonly string[]> = [
  [
    "BOOT_SWAP_USING_MOVE",
    "BOOT_SWAP_USING_OFFSET",
    "BOOT_SWAP_USING_SCRATCH",
    "BOOT_UPGRADE_ONLY",
    "BOOT_DIRECT_XIP",
    "BOOT_RAM_LOAD",
    "BOOT_FIRMWARE_LOADER",
    "SINGLE_APPLICATION_SLOT",
  ],
  [
    "BOOT_SIGNATURE_TYPE_ECDSA_P256",
    "BOOT_SIGNATURE_TYPE_RSA",
    "BOOT_SIGNATURE_TYPE_ED25519",
    "BOOT_SIGNATURE_TYPE_NONE",
  ],
  ["MCUBOOT_DOWNGRADE_PREVENTION", "MCUBOOT_HW_DOWNGRADE_PREVENTION"],
  ["BOOT_VALIDATE_SLOT0", "BOOT_VALIDATE_SLOT0_ONCE"],
  ["BOOT_IMAGE_ACCESS_HOOKS", "BOOT_IMAGE_ACCESS_HOOKS_SAMPLE"],
  ["MCUBOOT_LOG_LEVEL_OFF", "MCUBOOT_LOG_LEVEL_ERR", "MCUBOOT_LOG_LEVEL_INF"],
];

/** C6: its partition is full. ESP32-S3 and ESP32: not linked yet. */
const logs: Readonly<Record<Soc, boolean>> = {
  esp32c6: false,
  esp32c3: true,
  esp32s3: false,
  esp32: false,
};

const choices = socs.flatMap((soc) => flashMiBs.map((flashMiB) => ({ soc, flashMiB })));

function text(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** Assignments of one fragment; throws on a line that is neither comment, blank nor assignment. */
function assignments(path: string): Array<readonly [symbol: string, value: string]> {
  return text(path)
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => {
      const [, symbol, value] = line.match(/^CONFIG_([A-Z0-9_]+)=(y|n|\d+)$/) ?? [];
      assert.ok(symbol !== undefined && value !== undefined, `${path}: ${line}`);
      return [symbol, value] as const;
    });
}

function merged(paths: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const path of paths)
    for (const [symbol, value] of assignments(path)) {
      const before = values.get(symbol);
      assert.ok(
        before === undefined || before === value,
        `${path} sets ${symbol} to ${value}, not ${before}`,
      );
      values.set(symbol, value);
    }
  return values;
}

for (const choice of choices) {
  const name = `${choice.soc} with ${choice.flashMiB} MiB`;
  const build = bootloaderBuild(choice);

  test(`${name}: every setting that we rely on is there, and no fragment takes it back`, () => {
    const values = merged(build.fragments);
    const found = Object.fromEntries(Object.keys(required).map((key) => [key, values.get(key)]));
    assert.deepEqual(found, required);
    for (const group of exclusive) {
      const on = group.filter((symbol) => values.get(symbol) === "y");
      assert.ok(on.length <= 1, `only one of these can be on: ${on.join(", ")}`);
    }
  });

  test(`${name}: MCUboot counts exactly the sectors of a slot`, () => {
    const sectors = partitionTable(choice).slot0.sizeBytes / sectorBytes;
    assert.equal(merged(build.fragments).get("BOOT_MAX_IMG_SECTORS"), String(sectors));
  });

  test(`${name}: the log is ${logs[choice.soc] ? "on, beside the wire of recovery" : "off"}`, () => {
    const values = merged(build.fragments);
    const overlay = build.overlays.map(text).join("\n");
    assert.equal(values.get("MCUBOOT_LOG_LEVEL_INF"), logs[choice.soc] ? "y" : undefined);
    assert.equal(values.get("UART_CONSOLE"), logs[choice.soc] ? "y" : "n");
    assert.equal(/zephyr,console = &(?!uart0)/.test(overlay), logs[choice.soc]);
  });

  test(`${name}: the overlays give a watchdog, the recovery wire and our partitions`, () => {
    const [partitions, board] = build.overlays.map(text);
    assert.match(board ?? "", /watchdog0 = &wdt0;/);
    assert.match(board ?? "", /&wdt0 \{\s*status = "okay";/);
    assert.match(board ?? "", /zephyr,uart-mcumgr = &uart0;/);
    for (const [partition, { offsetBytes: offset, sizeBytes: size }] of Object.entries(
      partitionTable(choice),
    ))
      assert.match(
        partitions ?? "",
        new RegExp(
          `${partition}_partition: partition@${offset.toString(16)} \\{[^}]*reg = <0x${offset.toString(16)} 0x${size.toString(16)}>;`,
        ),
      );
  });
}

test("every setting is explained by a comment above it", () => {
  const paths = new Set(choices.flatMap((choice) => bootloaderBuild(choice).fragments));
  for (const path of paths)
    for (const paragraph of text(path).split(/\n\n+/))
      assert.match(paragraph, /^#/, `${path}: no word about\n${paragraph}`);
});

test("every fragment and overlay in the folder belongs to a build", () => {
  const used = new Set(
    choices.flatMap((choice) => {
      const { fragments, overlays } = bootloaderBuild(choice);
      return [...fragments, ...overlays];
    }),
  );
  const present = ["conf", "boards", "partitions"].flatMap((folder) =>
    readdirSync(join(root, "bootloader", folder)).map((name) => `bootloader/${folder}/${name}`),
  );
  assert.deepEqual(present.toSorted(), [...used].toSorted());
});

test("no key file is named in a fragment, and the build refuses MCUboot's published keys", () => {
  for (const choice of choices)
    assert.ok(!merged(bootloaderBuild(choice).fragments).has("BOOT_SIGNATURE_KEY_FILE"));
  assert.match(text("bootloader/zephyr/CMakeLists.txt"), /include\(signature_keys\.cmake\)/);
  assert.match(text("bootloader/zephyr/signature_keys.cmake"), /FATAL_ERROR/);
});

test("the hook macro is defined empty for the whole build, and the linked program is checked", () => {
  const module = text("bootloader/zephyr/CMakeLists.txt");
  assert.match(module, /zephyr_compile_definitions\(MCUBOOT_IMAGE_ACCESS_HOOKS=\)/);
  assert.match(module, /extra_post_build_commands[\s\S]*check_bootloader\.cmake/);
  const check = text("bootloader/zephyr/check_bootloader.cmake");
  assert.match(check, /boot_read_swap_state_primary_slot_hook/);
});
