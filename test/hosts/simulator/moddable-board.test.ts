import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";
import { deviceLayout } from "../../../hosts/flash/board-layout.ts";
import { ModdableBoard } from "../../../hosts/moddable/board.ts";
import type { Launch } from "../../../hosts/moddable/launch.ts";
import {
  createKeyPair,
  signerFromPem,
  trustedKeyFromPem,
} from "../../../hosts/release/pem-keys.ts";
import { signImage } from "../../../hosts/release/sign.ts";
import { manufacture } from "../../../hosts/simulator/manufacture.ts";
import { plainImage } from "../../../src/image/writer.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-moddable-board-"));
after(() => rmSync(folder, { recursive: true }));
const layout = deviceLayout("esp32-4m");

/** A board whose boots are shell scripts, one after another; the last is repeated. */
async function board(
  scripts: readonly string[],
  launch: Partial<Launch> = {},
  bootsMax?: number,
): Promise<ModdableBoard> {
  const { privatePem, publicPem } = createKeyPair();
  const [signer, key] = [signerFromPem(privatePem), trustedKeyFromPem(publicPem)];
  assert.ok(signer.ok && key.ok);
  const version = { major: 1, minor: 0, revision: 0, build: 0 };
  const signed = await signImage({
    payload: gzipSync("what a script stands for"),
    options: { ...plainImage, version, hardware: "moddable-lin", securityCounter: 1 },
    signers: [signer.signer],
    slot: {
      ...{ slotBytes: layout.primary.sizeBytes, sectorBytes: 4096 },
      ...{ writeBlockBytes: 4, maxAlignBytes: 8 },
    },
    form: "file",
  });
  assert.ok(signed.ok);
  const flash = manufacture(layout, signed.signed.image, {
    ...{ serverUrl: "http://127.0.0.1:1", tenant: "DEFAULT", deviceId: "d", token: "t".repeat(32) },
    ...{ hardware: "moddable-lin", imageKeys: [key.key.publicKey] },
  });
  let boot = 0;
  const launcher = (): Launch => {
    const script = scripts[Math.min(boot, scripts.length - 1)] ?? "";
    boot += 1;
    return { command: "sh", parameters: ["-c", script], ...launch };
  };
  const directory = mkdtempSync(join(folder, "board-"));
  return new ModdableBoard(
    {
      ...{ directory, launcher, layout, imageKeys: [key.key], watchdogSeconds: 0 },
      ...(bootsMax !== undefined && { bootsMax }),
    },
    flash,
  );
}

test("boots again after each exit that is a reset, and tells why", async () => {
  const one = await board(["exit 10", "kill -ALRM $$", "exit 13", "echo up; exit 11"]);
  assert.deepEqual(await one.powerOn(), { kind: "power-cut" });
  assert.deepEqual(one.boots, [
    "booted 1.0.0 power-on",
    "booted 1.0.0 software",
    "booted 1.0.0 watchdog",
    "booted 1.0.0 exception",
  ]);
  assert.deepEqual(one.console, ["up"]);
});

test("takes a line of the SDK's simulator for the end of XS, which that one outlives", async () => {
  const script = "echo before; echo 'XS abort: unhandled exception'; exec tail -f /dev/null";
  const one = await board([script, "exit 11"], { abortPrefix: "XS abort: " });
  assert.deepEqual(await one.powerOn(), { kind: "power-cut" });
  assert.deepEqual(one.boots, ["booted 1.0.0 power-on", "booted 1.0.0 exception"]);
});

test("is off when its window is closed, and when a terminal ends what runs in it", async () => {
  const closed = await board(["exit 0"], { closedExitCode: 0 });
  assert.deepEqual(await closed.powerOn(), { kind: "off" });
  for (const signal of ["INT", "TERM", "HUP", "KILL"]) {
    const ended = await board([`kill -${signal} $$`]);
    assert.deepEqual(await ended.powerOn(), { kind: "off" }, signal);
  }
});

test("ends as a defect what no chip does", async () => {
  const unknown = await board(["exit 0"]);
  assert.deepEqual(await unknown.powerOn(), {
    kind: "defect",
    message: "the firmware ended with 0",
  });
  const swings = await board(["exit 10"], {}, 3);
  assert.deepEqual(await swings.powerOn(), { kind: "defect", message: "3 resets in one run" });
});
