import assert from "node:assert/strict";
import { test } from "node:test";
import { NorFlash } from "../../../../hosts/flash/nor-flash.ts";
import { Nvs } from "../../../../hosts/simulator/storage/nvs.ts";
import { toHex } from "../../../../src/image/hex.ts";
import { StorageError } from "../../../../src/ports/board.ts";

const sector = 4096;
const chip = (sectors = 2, writeBlockBytes: 1 | 4 | 32 = 4): NorFlash =>
  new NorFlash({ sizeBytes: sectors * sector, writeBlockBytes });
const mount = (flash: NorFlash): Nvs => new Nvs(flash.area(0, flash.sizeBytes));
const peekHex = (flash: NorFlash, at: number, length: number): string =>
  toHex(flash.peek(at, length));
const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);

test("an empty flash starts with a collection mark, then data grows up and entries grow down", () => {
  const flash = chip();
  const nvs = mount(flash);
  nvs.write(0x8001, Uint8Array.of(0x61, 0x62, 0x63));
  nvs.write(0xc001, Uint8Array.of(1, 2, 3, 4, 5));
  nvs.delete(0x8001);
  assert.equal(peekHex(flash, 0, 16), `616263ff${"0102030405ffffff"}ffffffff`);
  assert.equal(peekHex(flash, sector - 8, 8), "ffffffffffffffff");
  assert.equal(peekHex(flash, sector - 16, 8), "ffff00000000ff5c");
  assert.equal(peekHex(flash, sector - 24, 8), "018000000300ff39");
  assert.equal(peekHex(flash, sector - 32, 8), "01c004000500ffbd");
  assert.equal(peekHex(flash, sector - 40, 8), "01800c000000ff12");
  assert.equal(peekHex(flash, sector - 48, 8), "ffffffffffffffff");
});

test("slots and data take whole write blocks of 32 bytes with flash encryption", () => {
  const flash = chip(2, 32);
  const nvs = mount(flash);
  nvs.write(1, Uint8Array.of(9));
  assert.equal(peekHex(flash, 0, 33), `09${"ff".repeat(32)}`);
  assert.equal(peekHex(flash, sector - 64, 6), "ffff00000000");
  assert.equal(peekHex(flash, sector - 96, 6), "010000000100");
  assert.deepEqual(mount(flash).read(1), Uint8Array.of(9));
});

test("a full sector is closed with the place of its newest entry, and the next one is used", () => {
  const flash = chip(3);
  const nvs = mount(flash);
  nvs.write(1, filled(3000, 0x11));
  nvs.write(2, filled(2000, 0x22));
  assert.equal(peekHex(flash, sector - 8, 6), "ffffe80f0000");
  assert.equal(peekHex(flash, 2 * sector - 16, 6), "ffff00000000");
  assert.equal(peekHex(flash, 2 * sector - 24, 6), "02000000d007");
  assert.equal(peekHex(flash, 0, 2), "1111");
});

test("collection moves live values on, drops old and deleted ones, and erases their sector", () => {
  const flash = chip(2);
  const nvs = mount(flash);
  nvs.write(1, filled(1200, 0x10));
  nvs.write(1, filled(1200, 0x11));
  nvs.write(2, filled(1200, 0x22));
  nvs.delete(2);
  nvs.write(3, filled(1200, 0x33));
  assert.equal(flash.sectorErases(0), 1);
  assert.equal(
    flash.sectorView(0).every((byte) => byte === 0xff),
    true,
  );
  for (const storage of [nvs, mount(flash)]) {
    assert.deepEqual(storage.read(1), filled(1200, 0x11));
    assert.equal(storage.read(2), null);
    assert.deepEqual(storage.read(3), filled(1200, 0x33));
  }
});

test("writing what stands there already costs no flash operation, nor does deleting nothing", () => {
  const flash = chip();
  const nvs = mount(flash);
  nvs.write(1, filled(10, 1));
  const before = flash.counts;
  nvs.write(1, filled(10, 1));
  nvs.delete(2);
  assert.deepEqual(flash.counts, before);
});

test("mounting a storage that no cut interrupted writes nothing", () => {
  const flash = chip(3);
  const nvs = mount(flash);
  for (let round = 0; round < 50; round += 1) nvs.write(round % 5, filled(100 + round, round));
  const before = flash.counts;
  mount(flash);
  assert.deepEqual(flash.counts, before);
});

test("a full storage refuses with numbers and keeps every value, and deleting makes room", () => {
  const flash = chip(2);
  const nvs = mount(flash);
  nvs.write(1, filled(2000, 1));
  nvs.write(2, filled(2000, 2));
  assert.throws(
    () => nvs.write(3, filled(100, 3)),
    (error) =>
      error instanceof StorageError && /100 bytes .* 2 sectors of 4096/.test(error.message),
  );
  assert.throws(() => nvs.write(1, filled(2001, 4)), StorageError);
  for (const storage of [nvs, mount(flash)]) {
    assert.deepEqual(storage.read(1), filled(2000, 1));
    assert.deepEqual(storage.read(2), filled(2000, 2));
  }
  nvs.delete(2);
  nvs.write(3, filled(100, 3));
  assert.deepEqual(mount(flash).read(3), filled(100, 3));
});

test("the largest value takes a sector but four slots", () => {
  const flash = chip(3);
  const nvs = mount(flash);
  assert.equal(nvs.valueBytesMax, 4096 - 32);
  nvs.write(1, filled(4064, 1));
  nvs.write(1, filled(4064, 2));
  assert.deepEqual(mount(flash).read(1), filled(4064, 2));
  assert.throws(() => nvs.write(1, filled(4065, 3)), /4065 bytes, must be 1 to 4064/);
  assert.throws(() => nvs.write(1, new Uint8Array(0)), /0 bytes/);
});

test("deletions alone fill a sector and do not leave it", () => {
  const flash = chip(2);
  const nvs = mount(flash);
  for (let id = 0; id < 600; id += 1) {
    nvs.write(1, Uint8Array.of(id & 0xff));
    nvs.delete(1);
  }
  assert.equal(mount(flash).read(1), null);
});

test("refuses flash that holds something else, and areas that are too small", () => {
  const flash = chip(2);
  flash.poke(0, filled(2 * sector, 0x5a));
  assert.throws(() => mount(flash), /all 2 sectors are closed: this is no storage/);
  assert.throws(() => mount(chip(1)), /1 sectors .* at least 2 sectors/);
});

test("passes over an entry with a wrong check byte and data without an entry", () => {
  const flash = chip(2);
  const nvs = mount(flash);
  nvs.write(1, Uint8Array.of(1, 1, 1, 1));
  flash.write(sector - 32, Uint8Array.of(1, 0, 4, 0, 4, 0, 0xff, 0x00));
  flash.write(4, Uint8Array.of(0xff, 0xff, 0xff, 0x77, 0xff, 0xff, 0xff, 0x66));
  const mounted = mount(flash);
  assert.deepEqual(mounted.read(1), Uint8Array.of(1, 1, 1, 1));
  mounted.write(2, Uint8Array.of(2));
  assert.equal(peekHex(flash, 12, 4), "02ffffff");
  assert.equal(peekHex(flash, sector - 40, 6), "02000c000100");
});
