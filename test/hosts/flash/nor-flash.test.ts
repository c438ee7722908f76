import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { readFlashFile, writeFlashFile } from "../../../hosts/flash/flash-file.ts";
import { sectorBytes } from "../../../hosts/flash/geometry.ts";
import { NorFlash } from "../../../hosts/flash/nor-flash.ts";
import {
  allCutKinds,
  type CutKind,
  cutAt,
  type FlashRule,
  FlashRuleError,
  PowerCut,
} from "../../../hosts/flash/operation.ts";

const chip = (): NorFlash => new NorFlash({ sizeBytes: 4 * sectorBytes, writeBlockBytes: 4 });
const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const breaks = (rule: FlashRule, run: () => void): void =>
  assert.throws(run, (error) => error instanceof FlashRuleError && error.rule === rule);

test("a new chip is erased, keeps what is written and forgets it when its sector is erased", () => {
  const flash = chip();
  assert.deepEqual(flash.peek(0, 4), bytes(255, 255, 255, 255));
  flash.write(sectorBytes - 4, bytes(1, 2, 3, 4, 5, 6, 7, 8));
  assert.deepEqual(flash.peek(sectorBytes - 4, 8), bytes(1, 2, 3, 4, 5, 6, 7, 8));
  flash.eraseSector(0);
  assert.deepEqual(flash.peek(sectorBytes - 4, 8), bytes(255, 255, 255, 255, 5, 6, 7, 8));
});

test("an operation that a worn chip drops changes nothing and is not noticed", () => {
  const flash = chip();
  flash.write(0, bytes(1, 2, 3, 4));
  flash.faultHook = () => "drop";
  flash.write(4, bytes(5, 6, 7, 8));
  flash.eraseSector(0);
  assert.deepEqual(flash.peek(0, 8), bytes(1, 2, 3, 4, 255, 255, 255, 255));
  assert.equal(flash.powered, true);
});

test("a write may clear bits of what stands there and nothing else", () => {
  const flash = chip();
  flash.write(0, bytes(0b1100, 0xff, 0xff, 0xff));
  flash.write(0, bytes(0b0100, 0xff, 0xff, 0xff));
  assert.equal(flash.peek(0, 1)[0], 0b0100);
  breaks("sets-a-bit", () => flash.write(0, bytes(0b0110, 0xff, 0xff, 0xff)));
});

test("what a driver would refuse stops the run, swallowed or not", () => {
  const unaligned: ReadonlyArray<readonly [FlashRule, (flash: NorFlash) => void]> = [
    ["unaligned-write", (flash) => flash.write(2, bytes(1, 2, 3, 4))],
    ["unaligned-write", (flash) => flash.write(0, bytes(1, 2, 3))],
    ["unaligned-erase", (flash) => flash.eraseSector(4)],
    ["outside-flash", (flash) => flash.eraseSector(4 * sectorBytes)],
    ["outside-flash", (flash) => flash.write(4 * sectorBytes - 4, new Uint8Array(8))],
    ["outside-flash", (flash) => flash.read(-1, new Uint8Array(1))],
    ["outside-flash", (flash) => flash.area(0, sectorBytes).write(sectorBytes, bytes(0, 0, 0, 0))],
    ["unaligned-erase", (flash) => flash.area(0, sectorBytes).erase(0, 100)],
  ];
  for (const [rule, act] of unaligned) {
    const flash = chip();
    breaks(rule, () => act(flash));
    breaks(rule, () => flash.read(0, new Uint8Array(4)));
  }
  breaks("bad-geometry", () => void new NorFlash({ sizeBytes: 5000, writeBlockBytes: 4 }));
  breaks("bad-geometry", () => void chip().area(0, 5 * sectorBytes));
});

test("the write block is the chip's: 32 bytes with flash encryption, 1 on Zephyr's simulated flash", () => {
  const encrypted = new NorFlash({ sizeBytes: sectorBytes, writeBlockBytes: 32 });
  encrypted.write(32, new Uint8Array(32));
  breaks("unaligned-write", () => encrypted.write(64, new Uint8Array(4)));
  const byteWise = new NorFlash({ sizeBytes: sectorBytes, writeBlockBytes: 1 });
  byteWise.write(3, bytes(7));
  assert.equal(byteWise.peek(3, 1)[0], 7);
});

test("a cut write keeps nothing, its first half, its second half or half the bits, and the chip is off", () => {
  const kept: Record<CutKind, number[]> = {
    clean: [255, 255, 255, 255],
    half: [1, 2, 255, 255],
    tail: [255, 255, 3, 4],
    bits: [0x0f, 0x0f, 0x0f, 0x0f],
  };
  for (const kind of allCutKinds) {
    const flash = chip();
    flash.faultHook = cutAt(1, kind);
    flash.write(100, bytes(9, 9, 9, 9));
    assert.throws(() => flash.write(0, bytes(1, 2, 3, 4)), PowerCut);
    assert.throws(() => flash.read(0, new Uint8Array(4)), PowerCut);
    assert.equal(flash.powered, false);
    flash.restorePower();
    const seen = new Uint8Array(4);
    flash.read(0, seen);
    assert.deepEqual([...seen], kept[kind]);
  }
});

test("a cut erase erases nothing, the first half, the second half or half the bits of the sector", () => {
  const half = sectorBytes / 2;
  const kept: Record<CutKind, readonly [number, number]> = {
    clean: [0, 0],
    half: [255, 0],
    tail: [0, 255],
    bits: [0xf0, 0xf0],
  };
  for (const kind of allCutKinds) {
    const flash = chip();
    flash.write(0, new Uint8Array(sectorBytes));
    flash.faultHook = cutAt(0, kind);
    assert.throws(() => flash.eraseSector(0), PowerCut);
    const after = flash.peek(0, sectorBytes);
    const first = after.subarray(0, half);
    const second = after.subarray(half);
    assert.ok(first.every((byte) => byte === kept[kind][0]));
    assert.ok(second.every((byte) => byte === kept[kind][1]));
  }
});

test("clones share nothing that shows: each keeps its own content, wear travels, counts start afresh", () => {
  const flash = chip();
  flash.eraseSector(0);
  flash.write(0, bytes(1, 2, 3, 4));
  const copy = flash.clone();
  copy.write(0, bytes(0, 0, 0, 0));
  flash.write(4, bytes(5, 6, 7, 8));
  const grandchild = copy.clone();
  grandchild.eraseSector(0);
  assert.deepEqual(flash.peek(0, 8), bytes(1, 2, 3, 4, 5, 6, 7, 8));
  assert.deepEqual(copy.peek(0, 8), bytes(0, 0, 0, 0, 255, 255, 255, 255));
  assert.deepEqual(grandchild.peek(0, 4), bytes(255, 255, 255, 255));
  assert.deepEqual(copy.counts, { erases: 0, writes: 1, bytesProgrammed: 4 });
  assert.equal(grandchild.sectorErases(100), 2);
});

test("counts operations, programmed bytes and erases of each sector", () => {
  const flash = chip();
  const area = flash.area(sectorBytes, 2 * sectorBytes);
  area.erase(0, 2 * sectorBytes);
  area.write(0, new Uint8Array(1024));
  area.write(sectorBytes, new Uint8Array(0));
  assert.deepEqual(flash.counts, { erases: 2, writes: 1, bytesProgrammed: 1024 });
  assert.equal(flash.sectorErases(0), 0);
  assert.equal(flash.sectorErases(sectorBytes), 1);
});

test("the log holds every operation in order, the interrupted one last", () => {
  const flash = chip();
  const log = flash.startLog();
  flash.eraseSector(sectorBytes);
  flash.faultHook = cutAt(0, "clean");
  assert.throws(() => flash.write(8, bytes(1, 2, 3, 4)), PowerCut);
  assert.deepEqual(log, [
    { kind: "erase", address: sectorBytes, lengthBytes: sectorBytes },
    { kind: "write", address: 8, lengthBytes: 4, bytes: bytes(1, 2, 3, 4) },
  ]);
});

test("a chip survives its file", () => {
  const folder = mkdtempSync(join(tmpdir(), "sluice-flash-"));
  try {
    const flash = chip();
    flash.write(2 * sectorBytes, bytes(1, 2, 3, 4));
    writeFlashFile(join(folder, "chip.bin"), flash);
    const loaded = readFlashFile(join(folder, "chip.bin"));
    assert.deepEqual(loaded.toBytes(), flash.toBytes());
    assert.equal(statSync(join(folder, "chip.bin")).mode & 0o777, 0o600, "a token may be in it");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("any run of writes and erases leaves what a plain array would hold, on clones too", () => {
  const operation = fc.oneof(
    fc.record({ erase: fc.integer({ min: 0, max: 3 }) }),
    fc.record({
      block: fc.integer({ min: 0, max: 4 * 1024 - 600 }),
      value: fc.integer({ min: 0, max: 255 }),
      blocks: fc.integer({ min: 1, max: 600 }),
    }),
    fc.constant({ clone: true as const }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 30 }), (operations) => {
      let flash = chip();
      const plain = new Uint8Array(4 * sectorBytes).fill(0xff);
      for (const step of operations) {
        if ("erase" in step) {
          flash.eraseSector(step.erase * sectorBytes);
          plain.fill(0xff, step.erase * sectorBytes, (step.erase + 1) * sectorBytes);
        } else if ("clone" in step) {
          const parent = flash;
          flash = parent.clone();
          parent.eraseSector(0);
        } else {
          const start = step.block * 4;
          const data = plain.slice(start, start + step.blocks * 4).map((byte) => byte & step.value);
          flash.write(start, data);
          plain.set(data, start);
        }
      }
      assert.deepEqual(flash.toBytes(), plain);
    }),
    { numRuns: 60 },
  );
});
