import assert from "node:assert/strict";
import { test } from "node:test";
import { sectorBytes } from "../../../hosts/flash/geometry.ts";
import { cutAt, cutKinds } from "../../../hosts/flash/operation.ts";
import { setConfirmed, setPending } from "../../../hosts/mcuboot-model/application.ts";
import { boot, loaderState } from "../../../hosts/mcuboot-model/boot.ts";
import type { BootConfig } from "../../../hosts/mcuboot-model/config.ts";
import { BenchCounter } from "../../../hosts/mcuboot-model/vectors/vector-config.ts";
import {
  bootLine,
  makeChip,
  makeConfig,
  makeImage,
  signers,
  smallLayout,
} from "../../support/boot-bench.ts";

const old = await makeImage({ version: "1.0.0", sectors: 2, securityCounter: 1 });
const next = await makeImage({ version: "2.0.0", sectors: 3, securityCounter: 2 });
const modes = ["swap-using-move", "swap-using-scratch", "swap-using-offset"] as const;

/** The lines of the boots that follow a test request for `next`. */
function boots(
  config: BootConfig,
  count: number,
  images = { primary: old, secondary: next },
): string[] {
  const flash = makeChip(config, images);
  setPending(flash, config, "test");
  return Array.from({ length: count }, () => bootLine(flash, config));
}

test("in every mode a trial that nobody confirms is reverted, and a confirmed one stays", () => {
  for (const mode of modes) {
    const config = makeConfig({ mode });
    assert.deepEqual(boots(config, 3), ["2.0.0 test", "1.0.0 revert", "1.0.0 none"], mode);
    const flash = makeChip(config, { primary: old, secondary: next });
    setPending(flash, config, "test");
    boot(flash, config);
    assert.equal(setConfirmed(flash, config), "ok");
    assert.equal(bootLine(flash, config), "2.0.0 none", mode);
  }
});

test("a permanent request is confirmed by the bootloader itself", () => {
  for (const mode of modes) {
    const config = makeConfig({ mode });
    const flash = makeChip(config, { primary: old, secondary: next });
    setPending(flash, config, "permanent");
    assert.deepEqual(
      [bootLine(flash, config), bootLine(flash, config)],
      ["2.0.0 perm", "2.0.0 none"],
    );
  }
});

test("the swap is the same with 32-byte write blocks and BOOT_MAX_ALIGN 32", () => {
  for (const mode of modes) {
    const config = makeConfig({ mode, maxAlign: 32 });
    assert.deepEqual(boots(config, 3), ["2.0.0 test", "1.0.0 revert", "1.0.0 none"], mode);
  }
});

test("of two accepted keys either signs an image, of one only its own", async () => {
  const bySecond = await makeImage({ version: "2.0.0", sectors: 3, signer: "second" });
  const [first, second] = [signers.first.key, signers.second.key];
  const upgraded = "2.0.0 test";
  const images = { primary: old, secondary: bySecond };
  assert.equal(boots(makeConfig({ keys: [first] }), 1, images)[0], "1.0.0 none");
  assert.equal(boots(makeConfig({ keys: [first, second] }), 1, images)[0], upgraded);
  assert.equal(boots(makeConfig({ keys: [second, first] }), 1, images)[0], upgraded);
  // With only the second key the old image is no longer accepted; the new one comes in, and cannot
  // be reverted.
  assert.deepEqual(boots(makeConfig({ keys: [second] }), 2, images), [upgraded, "2.0.0 none"]);
});

test("an image that nobody trusted signed is erased with its whole slot", async () => {
  const config = makeConfig();
  const foreign = await makeImage({ version: "2.0.0", sectors: 3, signer: "second" });
  const flash = makeChip(config, { primary: old, secondary: foreign });
  setPending(flash, config, "test");
  assert.equal(bootLine(flash, config), "1.0.0 none");
  const { offsetBytes: offset, sizeBytes: size } = smallLayout.secondary;
  assert.ok(flash.peek(offset, size).every((byte) => byte === 0xff));
});

test("a lower version or counter is refused where the build forbids it, a revert never", async () => {
  const downgrade = { primary: next, secondary: old };
  for (const mode of modes) {
    const byVersion = makeConfig({ mode, downgradePrevention: "version" });
    assert.equal(boots(byVersion, 1, downgrade)[0], "2.0.0 none");
    const byCounter = makeConfig({ mode, downgradePrevention: "security-counter" });
    assert.equal(boots(byCounter, 1, downgrade)[0], "2.0.0 none");
    assert.deepEqual(boots(byCounter, 2), ["2.0.0 test", "1.0.0 revert"]);
    assert.equal(boots(makeConfig({ mode }), 1, downgrade)[0], "1.0.0 test");
  }
});

test("a hardware counter follows confirmed images and refuses what is below it", () => {
  for (const mode of modes) {
    const hardwareCounter = new BenchCounter();
    const config = makeConfig({ mode, hardwareCounter });
    const flash = makeChip(config, { primary: old, secondary: next });
    setPending(flash, config, "test");
    boot(flash, config);
    assert.equal(hardwareCounter.value, 0, "a trial does not raise it");
    setConfirmed(flash, config);
    boot(flash, config);
    assert.equal(hardwareCounter.value, 2);
    const stale = makeChip(config, { primary: old });
    assert.equal(bootLine(stale, config), "no-bootable-image");
  }
});

test("a damaged primary image boots only where the build does not validate it", () => {
  const damaged = old.slice();
  damaged[1000]! ^= 0xff;
  for (const mode of modes) {
    const flash = makeChip(makeConfig(), { primary: damaged });
    assert.equal(bootLine(flash, makeConfig({ mode })), "no-bootable-image");
    assert.equal(bootLine(flash, makeConfig({ mode, validatePrimary: false })), "1.0.0 none");
  }
});

test("an unreadable primary image stops a new swap with an assertion, as MCUboot does", () => {
  const config = makeConfig();
  const flash = makeChip(config, { primary: old, secondary: next });
  flash.poke(smallLayout.primary.offsetBytes + 12, Uint8Array.of(0xff, 0xff, 0xff, 0x7f));
  setPending(flash, config, "test");
  const outcome = boot(flash, config);
  assert.equal(outcome.outcome, "assert");
});

test("slots that the mode cannot swap leave the running image alone", () => {
  const unequal = {
    ...smallLayout,
    secondary: { offsetBytes: 9 * sectorBytes, sizeBytes: 6 * sectorBytes, sectors: 6 },
  };
  for (const mode of modes) {
    const config = makeConfig({ mode, layout: unequal });
    assert.equal(boots(config, 1)[0], "1.0.0 none", mode);
  }
});

test("setting an image pending or confirmed again changes nothing, and a torn magic is refused", () => {
  const config = makeConfig();
  const flash = makeChip(config, { primary: old, secondary: next });
  assert.equal(setConfirmed(flash, config), "ok");
  setPending(flash, config, "test");
  assert.equal(setPending(flash, config, "permanent"), "ok");
  assert.equal(flash.counts.writes, 2);
  const { offsetBytes: offset, sizeBytes: size } = smallLayout.secondary;
  flash.poke(offset + size - 1, Uint8Array.of(0));
  assert.equal(setPending(flash, config, "test"), "bad-image");
  flash.poke(smallLayout.primary.offsetBytes + size - 1, Uint8Array.of(0));
  assert.equal(setConfirmed(flash, config), "bad-vector");
});

test("a boot reports what it did: counts of completed operations and the trailers before and after", () => {
  const config = makeConfig();
  const flash = makeChip(config, { primary: old, secondary: next });
  setPending(flash, config, "test");
  flash.faultHook = cutAt(6, "half");
  const cut = boot(flash, config);
  assert.equal(cut.outcome, "power-cut");
  assert.deepEqual(cut.operations, { erases: 3, writes: 3, bytesErased: 12288, bytesWritten: 24 });
  assert.equal(cut.before.swapType, "test");
  assert.deepEqual(
    [cut.after.primary.magic, cut.after.primary.swapBytes, cut.after.secondary.magic],
    ["good", next.length, "unset"],
  );
  flash.faultHook = null;
  const { swapRan, resumed, outcome } = boot(flash, config);
  assert.deepEqual([outcome, swapRan, resumed], ["booted", true, false]);
});

test("swap using scratch resumes with the size in the scratch area, whatever an earlier upgrade left in the primary trailer", async () => {
  const config = makeConfig({ mode: "swap-using-scratch" });
  const start = makeChip(config, { primary: old, secondary: next });
  setPending(start, config, "permanent");
  boot(start, config);
  const intoTrailerSector = await makeImage({ version: "3.0.0", sectors: 8 });
  start.poke(smallLayout.secondary.offsetBytes, intoTrailerSector);
  setPending(start, config, "test");
  for (let cut = 12; cut < 24; cut++) {
    const flash = start.clone();
    flash.faultHook = cutAt(cut, "clean");
    assert.equal(bootLine(flash, config), "power-cut");
    assert.match(bootLine(flash, config), /^3\.0\.0 (test|resumed)$/, `cut at operation ${cut}`);
  }
});

test("an image is judged by the header that the bootloader holds, as when garbage tells of a swap under way", () => {
  const config = makeConfig();
  const flash = makeChip(config, { primary: old });
  const { primary } = loaderState(flash, config);
  primary.writeSwapSize(700);
  primary.writeStatusEntry(6, 1);
  primary.writeMagic();
  assert.equal(bootLine(flash, config), "no-bootable-image");
});

test("power may fail at any operation of an upgrade and of its revert: the device always boots, and ends reverted", () => {
  const config = makeConfig();
  const start = makeChip(config, { primary: old, secondary: next });
  setPending(start, config, "test");
  const whole = start.clone();
  boot(whole, config);
  boot(whole, config);
  const operations = whole.counts.erases + whole.counts.writes;
  for (const kind of cutKinds)
    for (let cut = 0; cut < operations; cut++) {
      const flash = start.clone();
      flash.faultHook = cutAt(cut, kind);
      const lines = Array.from({ length: 5 }, () => bootLine(flash, config));
      const where = `${kind} cut at operation ${cut}: ${lines}`;
      assert.equal(lines.filter((line) => line === "power-cut").length, 1, where);
      assert.equal(lines.at(-1), "1.0.0 none", where);
      assert.ok(!lines.includes("no-bootable-image") && !lines.includes("assert"), where);
    }
});
