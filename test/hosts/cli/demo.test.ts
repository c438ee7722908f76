import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { readFlashFile } from "../../../hosts/flash/flash-file.ts";
import { parseDeviceLayout } from "../../../hosts/flash/layout.ts";
import { bootDevice } from "../../../hosts/mcuboot-model/sluice-config.ts";
import { trustedKeyFromPem } from "../../../hosts/release/pem-keys.ts";
import { xsEngineMissing } from "../../../hosts/simulator/engines/xs-engine.ts";
import { runningImage } from "../../../hosts/simulator/world.ts";
import { runPatiently } from "../../support/patience.ts";

const main = fileURLToPath(new URL("../../../hosts/cli/main.ts", import.meta.url));
const out = mkdtempSync(join(tmpdir(), "sluice-demo-test-"));
after(() => rmSync(out, { recursive: true, force: true }));

test("the demo takes the good release to all, stops the bad one, and leaves flashes that say so", async () => {
  const words = [main, "demo", "--once", "--json", "--out", out];
  const demo = await runPatiently(process.execPath, words, { cpuSecondsMax: 540 });
  assert.equal(demo.status, 0, demo.stderr);
  const last = JSON.parse(demo.stdout.trimEnd().split("\n").at(-1) ?? "");
  const xs = xsEngineMissing() === null ? 1 : 0;
  assert.deepEqual(
    { ...last, durationMs: 0 },
    {
      good: { version: "1.1.0", devices: 25, confirmed: 25, deferred: 1 },
      bad: { version: "1.2.0", attempted: 2, rolledBack: 2, halted: true },
      engines: { node: 25 - xs, xs },
      durationMs: 0,
    },
  );

  const { devices, ...rest } = JSON.parse(readFileSync(join(out, "summary.json"), "utf8"));
  assert.deepEqual(rest, last);
  const layout = parseDeviceLayout(JSON.parse(readFileSync(join(out, "layout.json"), "utf8")));
  const key = trustedKeyFromPem(readFileSync(join(out, "keys/image-signing-pub.pem"), "utf8"));
  assert.ok(layout.ok && key.ok);
  assert.equal(readdirSync(join(out, "devices")).length, 25);
  for (const device of devices as { id: string; version: string; imageHash: string }[]) {
    const flash = readFlashFile(join(out, "devices", `${device.id}.flash`));
    const { version, imageHash } = device;
    assert.deepEqual(runningImage(flash, layout.layout), { version, imageHash });
    const booted = bootDevice(flash, layout.layout, [key.key]);
    assert.equal(booted.outcome, "booted");
    assert.equal(booted.swapRan, false);
  }
});
