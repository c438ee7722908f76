import assert from "node:assert/strict";
import { test } from "node:test";
import { allCutKinds, cutAt, PowerCut } from "../../../hosts/flash/operation.ts";
import { moveTrailerShape } from "../../../src/image/layout.ts";
import {
  readTrailer,
  swapRequestWrites,
  trailerMagic,
  trailerOffsets,
} from "../../../src/image/trailer.ts";
import { type FlashArea, FlashError } from "../../../src/ports/flash.ts";
import { Slots } from "../../../src/slots/slots.ts";
import { failingArea, type TwoSlots, twoSlots } from "../../support/secondary-slot.ts";
import { smallImage } from "../../support/small-images.ts";

const sectors = 10;
const slotBytes = sectors * 4096;
const shape = moveTrailerShape({
  slotBytes,
  sectorBytes: 4096,
  writeBlockBytes: 4,
  maxAlignBytes: 8,
});
const offsets = trailerOffsets({ shape, slotBytes });
const magic = trailerMagic(8);
const oldImage = await smallImage("1.0.0", 5000);
const newImage = await smallImage("1.1.0", 9000, { securityCounter: 2 });

/** The old image runs, the new one is in the secondary slot, and both trailers are blank. */
function board(): TwoSlots {
  const slots = twoSlots(sectors);
  slots.chip.poke(0, oldImage.bytes);
  slots.chip.poke(slotBytes, newImage.bytes);
  return slots;
}

function slotsOf({ primary, secondary }: TwoSlots): Slots {
  return new Slots({ primary, secondary, bootctl: null });
}

/** The trailer of the primary slot as a test swap leaves it. */
function swapped(slots: TwoSlots, flags: { copyDone: number; imageOk: number }): void {
  slots.chip.poke(offsets.magic, magic);
  slots.chip.poke(offsets.copyDone, Uint8Array.of(flags.copyDone));
  slots.chip.poke(offsets.imageOk, Uint8Array.of(flags.imageOk));
}

test("tells what both slots hold", () => {
  const facts = slotsOf(board()).facts();
  assert.ok(facts !== null);
  assert.equal(facts.version, "1.0.0");
  assert.equal(facts.imageHash, oldImage.imageHash);
  assert.equal(facts.confirmed, true);
  assert.deepEqual(facts.secondary, {
    prepared: false,
    imageHash: newImage.imageHash,
    securityCounter: 2,
  });
});

test("leaves room for the trailer and for the sector that the swap moves through", () => {
  const slots = slotsOf(board());
  assert.equal(slots.imageBytesMax, (sectors - 2) * 4096);
  assert.ok(slots.trailerBytes <= 4096);
});

test("finds nothing wrong with equal slots, wherever the board says that they lie", () => {
  const { primary, secondary } = board();
  const slots = { primary, secondary, bootctl: null };
  assert.equal(new Slots(slots).defect, null);
  const slotOffsets = { primary: 0x20000, secondary: 0x20000 + slotBytes };
  assert.equal(new Slots({ ...slots, slotOffsets }).defect, null);
});

for (const [name, change, says] of [
  ["of unequal size", { primary: { sizeBytes: 9 * 4096 } }, /36864 bytes, the secondary 40960/],
  ["with other sectors", { primary: { sectorBytes: 8192 } }, /sectors of 8192 .* of 4096/],
  [
    "off the sectors",
    { primary: { sizeBytes: 40_000 }, secondary: { sizeBytes: 40_000 } },
    /40000 bytes at 0, does not lie on whole sectors/,
  ],
  [
    "without room for an image",
    { primary: { sizeBytes: 8192 }, secondary: { sizeBytes: 8192 } },
    /2 sectors has no room/,
  ],
  [
    "that overlap",
    { slotOffsets: { primary: 0, secondary: 36_864 } },
    /0 to 40960, overlaps the secondary, 36864/,
  ],
] as const)
  test(`tells of slots ${name}, with the numbers`, () => {
    const { primary, secondary } = board();
    const changed: { primary?: object; secondary?: object; slotOffsets?: object } = change;
    const slots = {
      bootctl: null,
      ...change,
      primary: changedArea(primary, changed.primary),
      secondary: changedArea(secondary, changed.secondary),
    };
    assert.match(new Slots(slots).defect ?? "nothing", says);
  });

/** The same partition as a board would tell of another one. */
function changedArea(area: FlashArea, change: object = {}): FlashArea {
  const { sizeBytes, sectorBytes, writeBlockBytes } = area;
  return {
    sizeBytes,
    sectorBytes,
    writeBlockBytes,
    read: (offset, into) => area.read(offset, into),
    write: (offset, bytes) => area.write(offset, bytes),
    erase: (offset, length) => area.erase(offset, length),
    ...change,
  };
}

for (const [name, copyDone, imageOk, confirmed] of [
  ["swapped in and not confirmed", 0x01, 0xff, false],
  ["swapped in and confirmed", 0x01, 0x01, true],
  ["with a torn copy_done", 0x0f, 0xff, false],
  ["with a torn image_ok", 0x01, 0x0f, true],
  ["programmed from outside", 0xff, 0xff, true],
] as const)
  test(`takes an image ${name} for ${confirmed ? "confirmed" : "on trial"}`, () => {
    const slots = board();
    swapped(slots, { copyDone, imageOk });
    assert.equal(slotsOf(slots).facts()?.confirmed, confirmed);
  });

for (const [confirmation, copyDone, imageOk] of [
  ["awaited", 0x01, 0xff],
  ["awaited", 0x0f, 0xff],
  ["given", 0x01, 0x01],
  ["torn", 0x01, 0x0f],
  ["torn", 0x01, 0x00],
  ["none", 0xff, 0xff],
] as const)
  test(`calls a confirmation with flags ${copyDone} and ${imageOk} ${confirmation}`, () => {
    const slots = board();
    swapped(slots, { copyDone, imageOk });
    assert.equal(slotsOf(slots).confirmation(), confirmation);
  });

test("calls the confirmation of an image that was never swapped in none", () => {
  assert.equal(slotsOf(board()).confirmation(), "none");
});

test("knows no running image in a slot without a readable one", () => {
  const slots = board();
  slots.chip.poke(0, new Uint8Array(32).fill(0xff));
  assert.equal(slotsOf(slots).facts(), null);
});

const noImage = { prepared: false, imageHash: null, securityCounter: null };

test("finds no image in a secondary slot that is blank or torn", () => {
  const slots = board();
  slots.chip.poke(slotBytes, new Uint8Array(newImage.bytes.length).fill(0xff));
  assert.deepEqual(slotsOf(slots).facts()?.secondary, noImage);
  slots.chip.poke(slotBytes, newImage.bytes.subarray(0, 4096));
  assert.deepEqual(slotsOf(slots).facts()?.secondary, noImage);
});

test("runs on with a secondary slot that cannot be read, and concludes nothing from it", () => {
  const { primary, secondary } = board();
  const broken = failingArea(secondary, (operation) => operation === "read");
  const slots = new Slots({ primary, secondary: broken, bootctl: null });
  assert.equal(slots.facts()?.secondary, null);
  assert.equal(slots.facts()?.imageHash, oldImage.imageHash);
  assert.deepEqual(slots.requestSwap(), { ok: false, reason: "flash-error" });
});

test("throws for a primary slot that cannot be read", () => {
  const { primary, secondary } = board();
  const broken = failingArea(primary, () => true);
  const slots = new Slots({ primary: broken, secondary, bootctl: null });
  assert.throws(() => slots.facts(), FlashError);
});

test("requests a test swap in two halves as the bootloader reads it, and only once", () => {
  const slots = board();
  assert.deepEqual(slotsOf(slots).prepareSwap(), { ok: true });
  assert.equal(readTrailer(slots.secondary, shape).magic, "unset");
  assert.equal(slotsOf(slots).facts()?.secondary?.prepared, true);
  assert.deepEqual(slotsOf(slots).requestSwap(), { ok: true });
  const trailer = readTrailer(slots.secondary, shape);
  assert.equal(trailer.magic, "good");
  assert.equal(trailer.swapType, "test");
  assert.equal(trailer.imageOk, "unset");
  const { writes } = slots.chip.counts;
  assert.deepEqual(slotsOf(slots).prepareSwap(), { ok: true });
  assert.deepEqual(slotsOf(slots).requestSwap(), { ok: true });
  assert.equal(slots.chip.counts.writes, writes);
});

test("leaves the bytes that boot_set_pending leaves", () => {
  const slots = board();
  slotsOf(slots).prepareSwap();
  slotsOf(slots).requestSwap();
  const theirs = board();
  const place = { shape, slotBytes };
  const plan = swapRequestWrites(readTrailer(theirs.secondary, shape), place, "test");
  assert.ok(plan.ok);
  for (const write of plan.writes) theirs.secondary.write(write.offsetBytes, write.bytes);
  assert.deepEqual(slots.chip.toBytes(), theirs.chip.toBytes());
});

test("a request that the power cut can be repeated, and never asks for a permanent swap", () => {
  const request = (slots: TwoSlots): void => {
    assert.deepEqual(slotsOf(slots).prepareSwap(), { ok: true });
    assert.deepEqual(slotsOf(slots).requestSwap(), { ok: true });
  };
  const clean = board();
  request(clean);
  const operations = clean.chip.counts.writes + clean.chip.counts.erases;
  assert.equal(operations, 2);
  for (let operation = 0; operation < operations; operation += 1)
    for (const kind of allCutKinds) {
      const slots = board();
      slots.chip.faultHook = cutAt(operation, kind);
      assert.throws(() => request(slots), PowerCut);
      slots.chip.faultHook = null;
      slots.chip.restorePower();
      const { magic, imageOk } = readTrailer(slots.secondary, shape);
      assert.ok(operation === 1 || magic === "unset", "the first half asks for nothing");
      assert.notEqual(imageOk, "set");
      request(slots);
      assert.equal(readTrailer(slots.secondary, shape).magic, "good");
    }
});

test("answers flash-error when the trailer cannot be written or erased", () => {
  const { primary, secondary } = board();
  const broken = failingArea(secondary, (operation) => operation === "write");
  const slots = new Slots({ primary, secondary: broken, bootctl: null });
  assert.deepEqual(slots.prepareSwap(), { ok: false, reason: "flash-error" });
  assert.deepEqual(slots.requestSwap(), { ok: false, reason: "flash-error" });
});

test("confirms a trial, and a second time without a write", () => {
  const slots = board();
  swapped(slots, { copyDone: 0x01, imageOk: 0xff });
  assert.equal(slotsOf(slots).confirm(), true);
  assert.equal(readTrailer(slots.primary, shape).imageOk, "set");
  const { writes } = slots.chip.counts;
  assert.equal(slotsOf(slots).confirm(), true);
  assert.equal(slots.chip.counts.writes, writes);
});

test("does not try again to confirm what a power cut tore: such an image is not reverted", () => {
  const slots = board();
  swapped(slots, { copyDone: 0x01, imageOk: 0x0f });
  assert.equal(slotsOf(slots).confirm(), true);
  assert.equal(slots.chip.counts.writes, 0);
});

test("counts an image without a trailer as confirmed", () => {
  assert.equal(slotsOf(board()).confirm(), true);
});

test("answers that a confirmation failed when its flag cannot be written", () => {
  const slots = board();
  swapped(slots, { copyDone: 0x01, imageOk: 0xff });
  const { primary, secondary } = slots;
  const broken = failingArea(primary, (operation) => operation === "write");
  assert.equal(new Slots({ primary: broken, secondary, bootctl: null }).confirm(), false);
});
