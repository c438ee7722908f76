import assert from "node:assert/strict";
import { test } from "node:test";
import { NorFlash } from "../../../../hosts/flash/nor-flash.ts";
import { openKeyValue } from "../../../../hosts/simulator/storage/key-value.ts";
import { Nvs } from "../../../../hosts/simulator/storage/nvs.ts";
import { openSettings, type Settings } from "../../../../hosts/simulator/storage/settings.ts";
import { toHex } from "../../../../src/image/hex.ts";
import { StorageError } from "../../../../src/ports/board.ts";

const sectorBytes = 4096;
const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const chip = (sectors = 8): NorFlash =>
  new NorFlash({ sizeBytes: sectors * sectorBytes, writeBlockBytes: 4 });
const open = (flash: NorFlash): Settings => openSettings(flash.area(0, flash.sizeBytes));

test("a setting is a name entry and a value entry, counted by the largest name id", () => {
  const flash = chip();
  const settings = open(flash);
  settings.write("sluice/a", text("one"));
  settings.write("sluice/b", text("two"));
  const nvs = new Nvs(flash.area(0, flash.sizeBytes));
  assert.deepEqual(nvs.read(0x8000), Uint8Array.of(0x02, 0x80));
  assert.deepEqual(nvs.read(0x8001), text("sluice/a"));
  assert.deepEqual(nvs.read(0xc001), text("one"));
  assert.deepEqual(nvs.read(0x8002), text("sluice/b"));
  assert.deepEqual(nvs.read(0xc002), text("two"));
});

test("reads what was written, after a mount too, and forgets what was deleted", () => {
  const flash = chip();
  const settings = open(flash);
  settings.write("a", text("1"));
  settings.write("b", text("2"));
  settings.write("a", text("3"));
  settings.delete("b");
  settings.delete("never there");
  for (const storage of [settings, open(flash)]) {
    assert.deepEqual(storage.read("a"), text("3"));
    assert.equal(storage.read("b"), null);
    assert.deepEqual(storage.keys(), ["a"]);
  }
});

test("a deleted name's id is used again, and the largest id shrinks with its name", () => {
  const flash = chip();
  const settings = open(flash);
  for (const key of ["a", "b", "c"]) settings.write(key, text(key));
  settings.delete("a");
  settings.write("d", text("d"));
  settings.delete("c");
  const nvs = new Nvs(flash.area(0, flash.sizeBytes));
  assert.deepEqual(nvs.read(0x8001), text("d"));
  assert.deepEqual(nvs.read(0x8000), Uint8Array.of(0x02, 0x80));
  assert.deepEqual(open(flash).keys().sort(), ["b", "d"]);
});

test("a name without a value and a value without a name are not there, and their id is used again", () => {
  const flash = chip();
  const nvs = new Nvs(flash.area(0, flash.sizeBytes));
  nvs.write(0x8000, Uint8Array.of(0x02, 0x80));
  nvs.write(0x8001, text("only-a-name"));
  nvs.write(0xc002, text("only a value"));
  const settings = open(flash);
  assert.deepEqual(settings.keys(), []);
  settings.write("x", text("1"));
  settings.write("y", text("2"));
  assert.deepEqual(open(flash).keys().sort(), ["x", "y"]);
});

test("uses 8 sectors of a larger partition, as the board does", () => {
  const flash = chip(48);
  const settings = open(flash);
  for (let round = 0; round < 200; round += 1)
    settings.write("a", new Uint8Array(1000).fill(round));
  assert.equal(flash.sectorErases(7 * sectorBytes) > 0, true);
  assert.equal(
    flash.sectorView(8).every((byte) => byte === 0xff),
    true,
  );
});

test("refuses keys and values that are too long or empty, with the limits", () => {
  const settings = open(chip());
  assert.throws(
    () => settings.write("k".repeat(65), text("v")),
    /65 characters, must have 1 to 64/,
  );
  assert.throws(() => settings.write("", text("v")), /0 characters/);
  assert.throws(() => settings.write("k", new Uint8Array(0)), StorageError);
});

test("a value that no longer fits leaves the old one, and a new name leaves no trace", () => {
  const flash = chip(2);
  const settings = open(flash);
  settings.write("a", new Uint8Array(3800).fill(1));
  assert.throws(() => settings.write("a", new Uint8Array(3900).fill(2)), StorageError);
  assert.throws(() => settings.write("b", new Uint8Array(300)), StorageError);
  assert.deepEqual(open(flash).keys(), ["a"]);
  assert.deepEqual(open(flash).read("a"), new Uint8Array(3800).fill(1));
  settings.write("c", Uint8Array.of(3));
  assert.deepEqual(open(flash).read("c"), Uint8Array.of(3));
});

test("the firmware's key-value storage is one path of the settings, values marked as buffers", () => {
  const flash = chip();
  const settings = open(flash);
  const journal = openKeyValue(settings, "journal");
  const other = openKeyValue(settings, "config");
  journal.write("state", text("idle"));
  journal.write("empty", new Uint8Array(0));
  other.write("state", text("other"));
  assert.equal(toHex(settings.read("journal/state") as Uint8Array), `02${toHex(text("idle"))}`);
  assert.deepEqual(journal.read("state"), text("idle"));
  assert.deepEqual(journal.read("empty"), new Uint8Array(0));
  assert.equal(journal.read("missing"), null);
  assert.deepEqual(journal.keys().sort(), ["empty", "state"]);
  journal.delete("state");
  assert.equal(openKeyValue(open(flash), "journal").read("state"), null);
  assert.deepEqual(openKeyValue(open(flash), "config").read("state"), text("other"));
});

test("the key-value storage keeps to keys of 32 characters and values of 1,024 bytes", () => {
  const storage = openKeyValue(open(chip()), "journal");
  storage.write("k".repeat(32), new Uint8Array(1024).fill(5));
  assert.deepEqual(storage.read("k".repeat(32)), new Uint8Array(1024).fill(5));
  assert.throws(() => storage.write("k".repeat(33), text("v")), /33 characters, must have 1 to 32/);
  assert.throws(() => storage.write("k", new Uint8Array(1025)), /1025 bytes, may have 1024/);
});
