import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { exitCodes } from "../../../hosts/cli/command/exit.ts";
import { readBootloaderFile } from "../../../hosts/esp32/bootloader-file.ts";
import { factoryFlash } from "../../../hosts/esp32/flash-image.ts";
import { NorFlash } from "../../../hosts/flash/nor-flash.ts";
import { partitionTable } from "../../../hosts/flash/partitions.ts";
import { createKeyPair } from "../../../hosts/release/pem-keys.ts";
import { mountBoardStorage } from "../../../hosts/simulator/storage/board-storage.ts";
import { readIdentity } from "../../../src/update/settings.ts";
import { sluice } from "../../support/command-line.ts";

const skip = process.platform === "win32" ? "the tools of the test are shell scripts" : false;
const choice = { soc: "esp32c3", flashMiB: 4 } as const;
const table = partitionTable(choice);
const folder = mkdtempSync(join(tmpdir(), "sluice-board-"));
after(() => rmSync(folder, { recursive: true }));
const publicKey = join(folder, "image.pub.pem");
writeFileSync(publicKey, createKeyPair().publicPem);

const parts = { bootloader: new Uint8Array(60_000).fill(1), image: new Uint8Array(1000).fill(2) };

function enroll(...more: readonly string[]) {
  const who = ["chip-7", "--server", "http://fleet.example:8080", "--device-token", "secret"];
  const what = ["--hardware", "esp32c3-a", "--image-key", publicKey];
  return sluice("device", "enroll", ...who, ...what, ...more);
}

function identityIn(flash: Uint8Array) {
  const chip = NorFlash.fromBytes(flash, 4);
  const storage = mountBoardStorage(chip.area(table.storage.offsetBytes, table.storage.sizeBytes));
  return readIdentity({
    read: (key) => storage.read(`sluice/${key}`),
    write: () => {},
    delete: () => {},
  });
}

test("lays bootloader and image where the chip looks for them", () => {
  const made = factoryFlash(choice, parts);
  assert.ok(made.ok);
  assert.equal(made.flash.length, 4 * 1024 * 1024);
  assert.equal(made.flash[0], 1);
  assert.equal(made.flash[table.slot0.offsetBytes], 2);
  assert.equal(made.flash[table.slot1.offsetBytes], 0xff);
});

test("refuses a bootloader that is larger than its partition, with the numbers", () => {
  const made = factoryFlash(choice, { ...parts, bootloader: new Uint8Array(65_537) });
  assert.ok(!made.ok);
  assert.match(made.message, /65537 bytes, its partition holds 65536: 1 too many/);
});

test("enrolls a device in a file of its whole flash, and leaves the rest alone", async () => {
  const file = join(folder, "flash.bin");
  const made = factoryFlash(choice, parts);
  assert.ok(made.ok);
  writeFileSync(file, made.flash);
  const run = await enroll("--file", file);
  assert.equal(run.exitCode, exitCodes.ok, run.stderr);
  const flash = readFileSync(file);
  assert.equal(identityIn(flash)?.deviceId, "chip-7");
  assert.deepEqual(
    flash.subarray(0, table.storage.offsetBytes),
    Buffer.from(made.flash).subarray(0, table.storage.offsetBytes),
  );
});

test("enrolls a device again without forgetting what else is stored", async () => {
  const file = join(folder, "again.bin");
  const made = factoryFlash(choice, parts);
  assert.ok(made.ok);
  writeFileSync(file, made.flash);
  await enroll("--file", file);
  await enroll("--file", file, "--tenant", "other");
  assert.equal(identityIn(readFileSync(file))?.tenant, "other");
});

test("makes a storage partition of its own", async () => {
  const out = join(folder, "storage.bin");
  const run = await enroll("--out", out);
  assert.equal(run.exitCode, exitCodes.ok, run.stderr);
  assert.equal(readFileSync(out).length, table.storage.sizeBytes);
  assert.match(run.stderr, /--offset 0x3b0000/);
});

test("refuses an enrolment into a file of another size", async () => {
  const file = join(folder, "small.bin");
  writeFileSync(file, new Uint8Array(100));
  const run = await enroll("--file", file);
  assert.equal(run.exitCode, exitCodes.input);
  assert.match(run.stderr, /100 bytes, not 4 MiB/);
});

test("refuses to enroll nowhere, or with a path in the server's address", async () => {
  assert.equal((await enroll()).exitCode, exitCodes.usage);
  const run = await enroll("--out", join(folder, "x.bin"), "--server", "http://fleet.example/path");
  assert.equal(run.exitCode, exitCodes.usage);
});

test("writes a partition into a file that stands for a board", async () => {
  const file = join(folder, "board.bin");
  const piece = join(folder, "piece.bin");
  writeFileSync(file, new Uint8Array(8192).fill(0xff));
  writeFileSync(piece, new Uint8Array(16).fill(9));
  const run = await sluice("board", "flash", piece, "--file", file, "--offset", "0x1000");
  assert.equal(run.exitCode, exitCodes.ok, run.stderr);
  const flash = readFileSync(file);
  assert.deepEqual(
    [flash.length, flash[0x0fff], flash[0x1000], flash[0x1010]],
    [8192, 0xff, 9, 0xff],
  );
});

test("says what a build for a board is missing, and where it is described", async () => {
  const before = { ...process.env };
  for (const name of ["ZEPHYR_BASE", "MODDABLE", "CROSS_COMPILE"]) delete process.env[name];
  try {
    const what = ["--board", "esp32c3_devkitm_serial", "--version", "1.0.0"];
    const run = await sluice("board", "build", ...what, "--security-counter", "1");
    assert.equal(run.exitCode, exitCodes.input);
    for (const name of ["ZEPHYR_BASE", "MODDABLE", "CROSS_COMPILE", "docs/flashing.md"])
      assert.match(run.stderr, new RegExp(name));
  } finally {
    process.env = before;
  }
});

for (const [what, said, says] of [
  [
    "libraries that are not there",
    'Blob for path "libcore.a" missing. Update with: west blobs fetch hal_espressif',
    /west blobs fetch hal_espressif; or see with --without-blobs/,
  ],
  [
    "a module that the workspace does not have",
    `warning: MBEDTLS (defined at modules/mbedtls/Kconfig:19) has direct dependencies 0 with value n, but is currently being y-selected by the following symbols:
 - WIFI_ESP32 (defined at drivers/wifi/esp32/Kconfig.esp32:3), with value y, direct dependencies (ZEPHYR_HAL_ESPRESSIF_MODULE_BLOBS || BUILD_ONLY_NO_BLOBS) (value: y)
-- Generated zephyr.dts: /build/esp32c3_devkitm-without-blobs/zephyr/zephyr.dts`,
    /WIFI_ESP32 needs the Zephyr module mbedtls, which is not in this build: west update mbedtls/,
  ],
  [
    "a configuration that rules out what it selects",
    `warning: NET_L2_ETHERNET (defined at subsys/net/l2/ethernet/Kconfig:6) has direct dependencies NETWORKING && !SMP with value n, but is currently being y-selected by the following symbols:
 - WIFI_ESP32 (defined at drivers/wifi/esp32/Kconfig.esp32:3), with value y`,
    /WIFI_ESP32 needs NET_L2_ETHERNET, which .* rules out: subsys\/net\/l2\/ethernet\/Kconfig/,
  ],
  [
    "a compiler that links for 64 bits",
    "libgcc.a(div.o): ABI is incompatible with that of the selected emulation",
    /docs\/flashing\.md names two lines of Zephyr/,
  ],
] as const)
  test(`says the next step when a build ends by ${what}`, { skip }, async () => {
    const before = { ...process.env };
    const bin = join(folder, "bin");
    for (const name of ["x-gcc", "cmake", "ninja", "dtc"]) program(join(bin, name), "exit 0");
    const moddable = join(folder, "moddable");
    program(join(moddable, "build/bin/lin/release/mcconfig"), `echo '${said}'; exit 1`);
    writeFileSync(join(bin, "VERSION"), "");
    Object.assign(process.env, { ZEPHYR_BASE: bin, MODDABLE: moddable });
    Object.assign(process.env, { CROSS_COMPILE: `${bin}/x-`, PATH: `${bin}:${before["PATH"]}` });
    try {
      const board = ["--board", "esp32c3_devkitm", "--version", "1.0.0"];
      const run = await sluice("board", "build", ...board, "--security-counter", "1");
      assert.equal(run.exitCode, exitCodes.input);
      const lines = run.stderr.trim().split("\n");
      assert.match(lines.at(-1) ?? "", says);
    } finally {
      process.env = before;
    }
  });

function program(file: string, script: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

for (const [set, says] of [
  ["redirectHosts=https://cdn.example", /"https:\/\/cdn.example" is no name of a host/],
  ["redirectHosts", /--set redirectHosts is no key=value/],
] as const)
  test(`refuses --set ${set} before it builds anything`, async () => {
    const what = ["--board", "esp32c3_devkitm", "--version", "1.0.0", "--security-counter", "1"];
    const run = await sluice("board", "build", ...what, "--set", set);
    assert.equal(run.exitCode, exitCodes.usage);
    assert.match(run.stderr, says);
  });

test("knows no board that has no folder", async () => {
  const what = ["--board", "esp8266", "--version", "1.0.0", "--security-counter", "1"];
  const run = await sluice("board", "build", ...what);
  assert.equal(run.exitCode, exitCodes.usage);
  assert.match(run.stderr, /no board "esp8266"/);
});

test("makes the whole flash of a simulated board, whose record the firmware accepts", async () => {
  const { privatePem, publicPem } = createKeyPair();
  const file = (name: string): string => join(folder, name);
  writeFileSync(file("signs.pem"), privatePem);
  writeFileSync(file("signs-pub.pem"), publicPem);
  writeFileSync(file("payload.js"), "trace('up');");
  const facts = ["--version", "1.0.0", "--hardware", "esp32c3-a", "--security-counter", "1"];
  const made = file("image.bin");
  const key = ["--key", file("signs.pem"), "--out", made];
  const signed = await sluice("release", "sign", file("payload.js"), ...facts, ...key);
  assert.equal(signed.exitCode, 0, signed.stderr);

  const factory = ["board", "flash", made, "--factory"];
  const flashed = await sluice(
    ...[...factory, "--simulated", "--image-key", file("signs-pub.pem")],
    ...["--file", file("whole.flash"), "--layout", file("layout.json")],
  );
  assert.equal(flashed.exitCode, 0, flashed.stderr);
  const boot = table.boot;
  const flash = new Uint8Array(readFileSync(file("whole.flash")));
  const found = readBootloaderFile(
    choice,
    flash.slice(boot.offsetBytes, boot.offsetBytes + boot.sizeBytes),
  );
  assert.equal(found.refusal, null);
  assert.equal(JSON.parse(readFileSync(file("layout.json"), "utf8")).flash_size, flash.length);

  const to = ["--file", file("refused.flash")];
  for (const [words, code, says] of [
    [[...factory, ...to], exitCodes.usage, /--bootloader, or --simulated/],
    [[...factory, "--simulated", ...to], exitCodes.usage, /--image-key PEM/],
    [
      [...factory, "--simulated", "--image-key", publicKey, ...to],
      exitCodes.input,
      /does not start .* give the --image-key of who signed it/,
    ],
    [[...factory, "--bootloader", made, ...to], exitCodes.input, /does not fit the firmware/],
    [
      ["board", "flash", file("payload.js"), "--factory", "--simulated", ...to],
      exitCodes.input,
      /is no image/,
    ],
    [["board", "flash", made, "--simulated", ...to], exitCodes.usage, /go with --factory/],
    [
      [...factory, "--simulated", "--image-key", publicKey, "--port", "/dev/null"],
      exitCodes.usage,
      /--simulated is for --file/,
    ],
  ] as const) {
    const said = await sluice(...words);
    assert.equal(said.exitCode, code, said.stderr);
    assert.match(said.stderr, says);
    assert.equal(existsSync(file("refused.flash")), false);
  }
});
