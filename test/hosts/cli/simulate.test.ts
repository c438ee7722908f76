import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { deviceLayout } from "../../../hosts/flash/board-layout.ts";
import { readFlashFile, writeFlashFile } from "../../../hosts/flash/flash-file.ts";
import { encodeLayout } from "../../../hosts/flash/layout.ts";
import { setPending } from "../../../hosts/mcuboot-model/application.ts";
import { certificatePem } from "../../../hosts/release/certificates.ts";
import { publicPemOfKey } from "../../../hosts/release/pem-keys.ts";
import { manufacture } from "../../../hosts/simulator/manufacture.ts";
import { sluice } from "../../support/command-line.ts";
import { benchSigner, image, strangeSigner } from "../../support/device-bench.ts";
import { authority, certificate, served } from "../../support/tls.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-simulate-test-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);
const layoutFile = path("layout.json");
writeFileSync(layoutFile, JSON.stringify(encodeLayout(deviceLayout("esp32-4m"))));

function linesOf({ stdout }: { readonly stdout: string }): string[] {
  return stdout.trimEnd().split("\n");
}

async function flashFile(name: string, file: Uint8Array): Promise<string> {
  const flash = manufacture(deviceLayout("esp32-4m"), file, {
    serverUrl: "http://127.0.0.1:1",
    tenant: "DEFAULT",
    deviceId: "bench",
    token: "bench-token",
    hardware: "esp32c3-a",
    imageKeys: [benchSigner.publicKey],
  });
  writeFlashFile(path(name), flash);
  return path(name);
}

test("a fleet with faults ends on its target, says so last, and the same seed says the same", async () => {
  const first = await sluice("simulate", "--devices", "6", "--seed", "7", "--faults", "--json");
  assert.equal(first.exitCode, 0, first.stderr);
  assert.equal(linesOf(first).at(-1), "6 on target, 0 with reason, 0 lost");
  assert.equal(
    linesOf(first)[0],
    "the server counts 6 devices as updated, the flash of 6 holds the release, confirmed",
  );
  const again = await sluice("simulate", "--devices", "6", "--seed", "7", "--faults", "--json");
  assert.deepEqual([again.stdout, again.stderr], [first.stdout, first.stderr]);
  const result = JSON.parse(linesOf(first).at(-2) ?? "");
  assert.equal(result.countedUpdated, 6);
  assert.equal(result.runningTarget, 6);
});

test("a battery that stays flat and windows that never open keep a device from the release, and it says so", async () => {
  const run = await sluice("simulate", "--devices", "6", "--seed", "193", "--faults", "--json");
  assert.equal(run.exitCode, 0, run.stderr);
  const lines = linesOf(run);
  assert.equal(lines.at(-1), "4 on target, 2 with reason, 0 lost");
  const { devices } = JSON.parse(lines.at(-2) ?? "");
  const reasons: Readonly<Record<string, RegExp>> = {
    freeze: /^deferred: window-closed$/,
    "flat-battery": /^deferred: (low-battery|energy)$/,
    null: /^updated$/,
  };
  for (const { lasting, reason } of devices)
    assert.match(reason, reasons[String(lasting)] ?? /never/);
  for (const line of lines.slice(1, 3)) assert.match(line, /^1 deferred: [a-z-]+$/);
});

test("a flash file boots with the keys that it enrols, and its firmware runs", async () => {
  const file = await flashFile("good.flash", await image("1.0.0"));
  const before = readFileSync(file);
  const said = await sluice("simulate", "--flash", file, "--layout", layoutFile, "--seconds", "5");
  assert.equal(said.exitCode, 0, said.stderr);
  assert.match(linesOf(said)[0] ?? "", /^boot \(power-on\): starts 1\.0\.0/);
  assert.match(linesOf(said)[1] ?? "", /running 1\.0\.0 \(confirmed\) after power-on/);
  assert.deepEqual(readFileSync(file), before);
});

test("says that a device ran on a copy when it ends on another image, unless --out keeps it", async () => {
  const layout = deviceLayout("esp32-4m");
  const file = await flashFile("trial.flash", await image("1.0.0"));
  const flash = readFlashFile(file);
  flash.poke(layout.secondary.offsetBytes, await image("1.1.0"));
  const imageSectorsMax = Math.max(layout.primary.sectors, layout.secondary.sectors);
  const loader = { mode: "swap-using-move", layout, maxAlign: 8, imageSectorsMax } as const;
  const rest = { keys: [], validatePrimary: true, downgradePrevention: "none" } as const;
  const config = { ...loader, ...rest, hardwareCounter: null, primaryStateHook: null };
  assert.equal(setPending(flash, config, "test"), "ok");
  writeFlashFile(file, flash);
  const line = ["simulate", "--flash", file, "--layout", layoutFile, "--seconds", "600"];
  for (const round of ["first", "second"]) {
    const said = await sluice(...line);
    assert.match(linesOf(said)[0] ?? "", /starts 1\.1\.0\+0, after a swap/, round);
    assert.match(said.stderr, /ran on a copy.*begins with 1\.1\.0\+0 again.*--out .*trial\.flash/);
  }
  const kept = await sluice(...line, "--out", file);
  assert.equal(kept.stderr, "");
  const next = await sluice(...line);
  assert.match(linesOf(next)[0] ?? "", /^boot \(power-on\): starts 1\.0\.0\+0$/);
  assert.equal(next.stderr, "");
});

test("a flash file asks an https server whose certificate is of today alone", async (t) => {
  const dayMs = 86_400_000;
  const today = { notBeforeUnixMs: Date.now() - dayMs, notAfterUnixMs: Date.now() + dayMs };
  const asked: string[] = [];
  const server = createServer(served(certificate(today)), ({ url = "" }, answer) => {
    asked.push(url);
    answer.writeHead(404).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const file = await flashFile("https.flash", await image("1.0.0"));
  writeFileSync(path("image-pub.pem"), publicPemOfKey(benchSigner.key));
  writeFileSync(path("ca.pem"), certificatePem(authority.certificate));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const who = ["bench", "--server", url, "--device-token", "bench-token-of-its-own"];
  const trusted = ["--image-key", path("image-pub.pem"), "--ca", path("ca.pem")];
  const rest = ["--hardware", "esp32c3-a", ...trusted, "--file", file];
  const enrolled = await sluice("device", "enroll", ...who, ...rest);
  assert.equal(enrolled.exitCode, 0, enrolled.stderr);
  const said = await sluice("simulate", "--flash", file, "--layout", layoutFile, "--seconds", "60");
  assert.equal(said.exitCode, 0, said.stderr);
  assert.match(asked[0] ?? said.stdout, /^\/DEFAULT\/controller\/v1\/bench/);
});

test("a flash file whose image another key signed does not boot, and the command says so", async () => {
  const file = await flashFile("bad.flash", await image("1.0.0", { signers: [strangeSigner] }));
  const said = await sluice("simulate", "--flash", file, "--layout", layoutFile);
  assert.equal(said.exitCode, 1);
  assert.deepEqual(linesOf(said), ["boot (power-on): no-bootable-image"]);
});

test("firmware that crashes whenever it starts is no clean end", async () => {
  const entry = "hosts/simulator/firmware/throws-at-start.ts";
  const file = await flashFile("crashes.flash", await image("1.0.0", { entry }));
  const said = await sluice("simulate", "--flash", file, "--layout", layoutFile, "--seconds", "5");
  assert.equal(said.exitCode, 1);
  assert.match(said.stdout, /error: uncaught /);
  assert.match(said.stderr, /the firmware 1\.0\.0\+0 crashed \d+ times/);
});

test("what cannot be simulated is refused with the next step", async () => {
  for (const [argv, code, says] of [
    [["simulate"], 2, /--devices N/],
    [["simulate", "--devices", "0"], 2, /whole number from 1/],
    [["simulate", "--flash", layoutFile], 2, /--layout FILE/],
    [
      ["simulate", "--flash", path("none"), "--layout", layoutFile],
      65,
      /cannot read the flash file/,
    ],
    [
      ["simulate", "--flash", layoutFile, "--layout", layoutFile],
      65,
      /whole number of 4096-byte sectors|bytes, the layout is for/,
    ],
  ] as const) {
    const said = await sluice(...argv);
    assert.equal(said.exitCode, code, `${argv.join(" ")}: ${said.stderr}`);
    assert.match(said.stderr, says);
  }
});
