import assert from "node:assert/strict";
import { test } from "node:test";
import { PluggableBattery } from "../../../hosts/simulator/battery.ts";
import type { EngineKind } from "../../../hosts/simulator/engines/engine.ts";
import { xsEngineMissing } from "../../../hosts/simulator/engines/xs-engine.ts";
import { DeviceBench, image } from "../../support/device-bench.ts";

const hangEngine: EngineKind = xsEngineMissing() === null ? "xs" : "node";

for (const engine of ["node", "xs"] as const) {
  const skip = engine === "xs" ? (xsEngineMissing() ?? false) : false;

  test(`takes an update to the confirmed image on engine ${engine}`, { skip }, async () => {
    const bench = await DeviceBench.start({ engine });
    bench.offer("1", "1.1.0", await image("1.1.0"));
    await bench.powerOn();
    await bench.pass(5);
    assert.equal(bench.running, "1.1.0");
    assert.equal(bench.verdict, "closed success state=confirmed version=1.1.0");
    assert.deepEqual(bench.boots, ["booted 1.0.0 power-on", "booted 1.1.0 software"]);
    bench.world.close();
  });

  test(`goes back after three boots of an image that throws, on engine ${engine}`, {
    skip,
  }, async () => {
    const bench = await DeviceBench.start({ engine });
    const entry = "test/support/firmware/throws.ts";
    bench.offer("1", "1.2.0", await image("1.2.0", { entry }));
    await bench.powerOn();
    await bench.pass(5);
    assert.deepEqual(bench.boots, [
      "booted 1.0.0 power-on",
      "booted 1.2.0 software",
      "booted 1.2.0 exception",
      "booted 1.2.0 exception",
      "booted 1.0.0 exception",
    ]);
    assert.equal(bench.verdict, "closed failure state=rolledBack version=1.2.0 reason=crashed");
    bench.world.close();
  });
}

test("goes back after three watchdog resets of an image that hangs", async () => {
  const bench = await DeviceBench.start({ engine: hangEngine, mayHang: true });
  const entry = "hosts/simulator/firmware/hangs.ts";
  bench.offer("1", "1.3.0", await image("1.3.0", { entry }));
  await bench.powerOn();
  await bench.pass(10);
  assert.deepEqual(bench.boots.slice(1), [
    "booted 1.3.0 software",
    "booted 1.3.0 watchdog",
    "booted 1.3.0 watchdog",
    "booted 1.0.0 watchdog",
  ]);
  assert.equal(bench.verdict, "closed failure state=rolledBack version=1.3.0 reason=watchdog");
  bench.world.close();
});

test("goes back after three boots of a minute in which the server never answered", async () => {
  const bench = await DeviceBench.start();
  const entry = "hosts/simulator/firmware/loses-server.ts";
  bench.server.interfere = (request) =>
    request.headers["sluice-running"]?.startsWith("1.4.0") ? { kind: "unreachable" } : null;
  bench.offer("1", "1.4.0", await image("1.4.0", { entry }));
  await bench.powerOn();
  await bench.pass(10);
  assert.deepEqual(bench.boots.slice(1), [
    "booted 1.4.0 software",
    "booted 1.4.0 software",
    "booted 1.4.0 software",
    "booted 1.0.0 software",
  ]);
  assert.equal(bench.verdict, "closed failure state=rolledBack version=1.4.0 reason=no-server");
  const counted = bench.device.console.filter((line) => line.endsWith("of its trial"));
  assert.deepEqual(counted, [
    "info: boot 1 of its trial",
    "info: boot 2 of its trial",
    "info: boot 3 of its trial",
  ]);
  bench.world.close();
});

test("refuses a release that it rolled back, whoever offers it again", async () => {
  const bench = await DeviceBench.start();
  const bad = await image("1.2.0", { entry: "test/support/firmware/throws.ts" });
  bench.offer("1", "1.2.0", bad);
  await bench.powerOn();
  await bench.pass(5);
  const boots = bench.boots.length;
  bench.offer("2", "1.2.0", bad);
  await bench.pass(5);
  assert.equal(
    bench.verdict,
    "closed failure state=failed version=1.2.0 reason=rolled-back-before",
  );
  assert.equal(bench.boots.length, boots);
  bench.world.close();
});

test("defers with a low battery, says so, and goes on once it is charged", async () => {
  const battery = new PluggableBattery(10, 60);
  const bench = await DeviceBench.start({ battery });
  bench.offer("1", "1.1.0", await image("1.1.0"));
  await bench.powerOn();
  await bench.pass(30);
  assert.equal(bench.running, "1.0.0");
  // How much energy depends on the size of the firmware, which grows.
  const reports = bench.server.reports.map((report) =>
    report.replace(/for \d+\.\d mWh/, "for N mWh"),
  );
  assert.deepEqual(reports, [
    "scheduled none state=deferred version=1.1.0 reason=low-battery detail=battery 10 %, needs 20 %, for N mWh (0.6 %) to go",
  ]);
  assert.deepEqual(bench.server.artifactRanges, []);
  battery.plugIn(bench.world.scheduler.nowMs);
  await bench.pass(5); // charging is enough for a download; a swap needs the charge itself
  assert.equal(bench.running, "1.0.0");
  await bench.pass(30);
  assert.equal(bench.running, "1.1.0");
  bench.world.close();
});

test("writes each sector of the slot once and no more bytes than the image has", async () => {
  const bench = await DeviceBench.start();
  const file = await image("1.1.0", { paddingBytes: 300_000 });
  bench.offer("1", "1.1.0", file);
  await bench.powerOn();
  const { flash } = bench.device.device;
  const { secondary } = bench.world.layout;
  let programmed = 0;
  let swapping = false;
  bench.world.observer = {
    booted: (_, outcome) => {
      swapping ||= outcome.swapRan;
    },
  };
  flash.faultHook = (operation) => {
    const inSlot =
      operation.address >= secondary.offsetBytes &&
      operation.address < secondary.offsetBytes + secondary.sizeBytes;
    if (!swapping && inSlot && operation.kind === "write") programmed += operation.lengthBytes;
    if (inSlot && operation.kind === "erase" && !swapping) assert.fail("a blank slot was erased");
    return "proceed";
  };
  await bench.world.scheduler.runUntil(
    () => bench.server.reports.some((report) => report.includes("activating")),
    600_000,
  );
  assert.ok(programmed / file.length <= 1.01, `${programmed} bytes for an image of ${file.length}`);
  bench.world.close();
});

test("goes on after a power cut in the download with at most one block again", async () => {
  const bench = await DeviceBench.start();
  const file = await image("1.1.0", { paddingBytes: 400_000 });
  bench.offer("1", "1.1.0", file);
  await bench.powerOn();
  let writes = 0;
  const { flash } = bench.device.device;
  const { secondary } = bench.world.layout;
  flash.faultHook = (operation) => {
    if (
      operation.kind === "write" &&
      operation.address >= secondary.offsetBytes &&
      operation.address < secondary.offsetBytes + secondary.sizeBytes
    )
      writes += 1;
    return writes === 60 ? "cut-half" : "proceed";
  };
  await bench.world.scheduler.runUntil(() => bench.device.device.condition === "off", 600_000);
  flash.faultHook = null;
  const seen = bench.server.artifactRanges.length;
  await bench.powerOn();
  await bench.pass(5);
  assert.equal(bench.running, "1.1.0");
  const resumed = bench.server.artifactRanges[seen] ?? "";
  const resumedAt = Number(/bytes=(\d+)-/.exec(resumed)?.[1]);
  assert.equal(resumedAt, 59 * 4096);
  bench.world.close();
});

test("gives up an update that the server cancels before the swap", async () => {
  const bench = await DeviceBench.start();
  bench.server.pollSleep = "00:00:01";
  bench.offer("1", "1.1.0", await image("1.1.0", { paddingBytes: 900_000 }));
  await bench.powerOn();
  await bench.world.scheduler.runUntil(() => bench.server.artifactRanges.length > 3, 600_000);
  bench.server.cancelId = "1";
  bench.server.offer = null;
  await bench.pass(5);
  assert.equal(bench.running, "1.0.0");
  assert.equal(bench.verdict, "closed success state=idle");
  bench.world.close();
});

test("stays off when the power fails while the storage is mended at a start, and runs once it is back", async () => {
  const bench = await DeviceBench.start();
  await bench.powerOn();
  await bench.pass(1);
  bench.device.device.powerOff();
  const { flash } = bench.device.device;
  const { storage } = bench.world.layout;
  // A sector that is not blank where the storage expects its erased one: the mount erases it.
  flash.poke(storage.offsetBytes + 4096, new Uint8Array(16));
  flash.faultHook = () => "cut-half";
  await bench.powerOn();
  await bench.pass(1);
  assert.equal(bench.device.device.condition, "off");
  flash.faultHook = null;
  await bench.powerOn();
  await bench.pass(1);
  assert.equal(bench.device.device.condition, "running");
  bench.world.close();
});
