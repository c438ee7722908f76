import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { NorFlash } from "../../../hosts/flash/nor-flash.ts";
import { type CutKind, cutAt, cutKinds, PowerCut } from "../../../hosts/flash/operation.ts";
import { StagingSlot } from "../../../src/slots/staging.ts";
import { twoSlots } from "../../support/secondary-slot.ts";

const sector = 4096;
const trailerBytes = 500;

/**
 * Bytes of an image: never 0xff by chance, so that what is written can be told from what is blank.
 */
function imageOf(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => (index * 31 + (index >> 8)) % 255);
}

interface Staging {
  readonly chip: NorFlash;
  readonly slot: StagingSlot;
  readonly start: number;
}

function staging(sectors: number, imageBytes: number, chip?: NorFlash): Staging {
  const slots = twoSlots(sectors, chip);
  const slot = new StagingSlot(slots.secondary, imageBytes, trailerBytes);
  return { chip: slots.chip, slot, start: slots.secondaryOffset };
}

function prepare(slot: StagingSlot): void {
  for (let step = 0; step < slot.prepareSteps; step += 1) slot.prepareSector(step);
}

/** Appends what is left of the image in pieces that fit no sector. */
function fill(slot: StagingSlot, image: Uint8Array, pieceBytes = 1500): void {
  while (slot.receivedBytes < image.length) {
    const from = slot.receivedBytes;
    assert.equal(slot.append(image.subarray(from, from + pieceBytes)), true);
  }
}

/** Everything in the slot is what an earlier life left there. */
function dirty(chip: NorFlash, start: number, sectors: number): void {
  chip.poke(start, new Uint8Array(sectors * sector).fill(0x5a));
}

test("erases each sector once and programs each byte once", () => {
  const image = imageOf(5 * sector + 100);
  const { chip, slot, start } = staging(8, image.length);
  dirty(chip, start, 8);
  prepare(slot);
  slot.resume();
  fill(slot, image);
  assert.deepEqual(chip.peek(start, image.length), image);
  for (let index = 0; index < 8; index += 1) {
    const isTouched = index < 6 || index === 7; // the image and the trailer; between them nothing is read
    assert.equal(chip.sectorErases(start + index * sector), isTouched ? 1 : 0);
  }
  assert.ok(chip.counts.bytesProgrammed <= 1.01 * image.length);
});

test("loses nothing when its memory is given back between two pieces, within a sector or at its end", () => {
  const image = imageOf(3 * sector + 100);
  const { chip, slot, start } = staging(8, image.length);
  prepare(slot);
  slot.resume();
  for (let from = 0; from < image.length; from += 1024) {
    assert.equal(slot.append(image.subarray(from, from + 1024)), true);
    slot.release();
  }
  assert.deepEqual(chip.peek(start, image.length), image);
});

test("erases nothing of a slot that is blank", () => {
  const image = imageOf(3 * sector);
  const { chip, slot } = staging(8, image.length);
  prepare(slot);
  slot.resume();
  fill(slot, image);
  assert.equal(chip.counts.erases, 0);
});

test("makes the trailer blank before anything of the image", () => {
  const { chip, slot, start } = staging(8, 3 * sector);
  dirty(chip, start, 8);
  const log = chip.startLog();
  prepare(slot);
  assert.deepEqual(
    log.map(({ kind, address }) => `${kind} ${(address - start) / sector}`),
    ["erase 7", "erase 0", "erase 1", "erase 2"],
  );
});

test("writes whole sectors in order, each at once, and the last one padded to the write block", () => {
  const image = imageOf(2 * sector + 5);
  const { chip, slot, start } = staging(8, image.length);
  const log = chip.startLog();
  prepare(slot);
  fill(slot, image, 999);
  assert.deepEqual(
    log.map(({ kind, address, lengthBytes }) => `${kind} ${address - start} ${lengthBytes}`),
    ["write 0 4096", "write 4096 4096", "write 8192 8"],
  );
  assert.deepEqual([...chip.peek(start + 2 * sector + 5, 3)], [0xff, 0xff, 0xff]);
});

test("takes an image that ends with a sector without an empty write", () => {
  const image = imageOf(2 * sector);
  const { chip, slot } = staging(8, image.length);
  prepare(slot);
  fill(slot, image);
  assert.equal(chip.counts.writes, 2);
  assert.equal(slot.receivedBytes, image.length);
});

test("refuses bytes beyond the image and keeps what it has", () => {
  const image = imageOf(sector + 10);
  const { slot } = staging(8, image.length);
  prepare(slot);
  assert.equal(slot.append(image.subarray(0, sector)), true);
  assert.equal(slot.append(new Uint8Array(11)), false);
  assert.equal(slot.receivedBytes, sector);
  assert.equal(slot.append(image.subarray(sector)), true);
  assert.equal(slot.append(new Uint8Array(1)), false);
});

test("goes on after a reset with all but the last sector, which may be torn", () => {
  const image = imageOf(5 * sector);
  const first = staging(8, image.length);
  prepare(first.slot);
  first.slot.append(image.subarray(0, 3 * sector + 700));
  assert.equal(first.slot.receivedBytes, 3 * sector + 700);
  const second = staging(8, image.length, first.chip);
  second.slot.resume();
  assert.equal(second.slot.receivedBytes, 2 * sector);
  fill(second.slot, image);
  assert.deepEqual(first.chip.peek(first.start, image.length), image);
});

test("leaves a whole last sector as it is when its bytes come again", () => {
  const image = imageOf(5 * sector);
  const first = staging(8, image.length);
  prepare(first.slot);
  first.slot.append(image.subarray(0, 3 * sector));
  const { erases, writes } = first.chip.counts;
  const second = staging(8, image.length, first.chip);
  second.slot.resume();
  second.slot.append(image.subarray(2 * sector, 3 * sector));
  assert.deepEqual(
    { ...first.chip.counts, bytesProgrammed: 0 },
    { erases, writes, bytesProgrammed: 0 },
  );
  fill(second.slot, image);
  assert.deepEqual(first.chip.peek(first.start, image.length), image);
  assert.equal(first.chip.counts.erases, 0);
});

test("erases a torn last sector once its bytes came again, and only that one", () => {
  const image = imageOf(5 * sector + 9);
  for (const tornSector of [0, 2, 5]) {
    const first = staging(8, image.length);
    prepare(first.slot);
    first.slot.append(image.subarray(0, tornSector * sector));
    first.chip.poke(
      first.start + tornSector * sector,
      image.subarray(tornSector * sector, tornSector * sector + 5),
    );
    const second = staging(8, image.length, first.chip);
    second.slot.resume();
    assert.equal(second.slot.receivedBytes, tornSector * sector);
    assert.equal(first.chip.counts.erases, 0);
    fill(second.slot, image);
    assert.deepEqual(first.chip.peek(first.start, image.length), image);
    assert.equal(first.chip.counts.erases, 1);
    assert.equal(first.chip.sectorErases(first.start + tornSector * sector), 1);
  }
});

test("loses nothing by resuming again and again without a byte in between", () => {
  const image = imageOf(6 * sector);
  const first = staging(9, image.length);
  prepare(first.slot);
  first.slot.append(image.subarray(0, 4 * sector));
  for (let boot = 0; boot < 5; boot += 1) {
    const { slot } = staging(9, image.length, first.chip);
    slot.resume();
    assert.equal(slot.receivedBytes, 3 * sector);
    slot.append(image.subarray(3 * sector, 3 * sector + 100));
  }
  assert.equal(first.chip.counts.erases, 0);
});

test("finds a blank slot empty, and a full one full but for its last sector", () => {
  const image = imageOf(3 * sector);
  const { chip, slot } = staging(8, image.length);
  slot.resume();
  assert.equal(slot.receivedBytes, 0);
  fill(slot, image);
  const again = staging(8, image.length, chip);
  again.slot.resume();
  assert.equal(again.slot.receivedBytes, 2 * sector);
});

test("keeps blank sectors in the middle of an image for bytes of the image", () => {
  const image = imageOf(6 * sector);
  image.fill(0xff, sector, 4 * sector);
  const first = staging(9, image.length);
  prepare(first.slot);
  first.slot.append(image.subarray(0, 5 * sector));
  const second = staging(9, image.length, first.chip);
  second.slot.resume();
  assert.equal(second.slot.receivedBytes, 4 * sector);
  fill(second.slot, image);
  assert.deepEqual(first.chip.peek(first.start, image.length), image);
});

test("goes back to the last bytes that can be told from a blank slot", () => {
  const image = imageOf(6 * sector);
  image.fill(0xff, 2 * sector, 5 * sector);
  const first = staging(9, image.length);
  prepare(first.slot);
  first.slot.append(image.subarray(0, 4 * sector));
  const second = staging(9, image.length, first.chip);
  second.slot.resume();
  assert.equal(second.slot.receivedBytes, sector);
  fill(second.slot, image);
  assert.deepEqual(first.chip.peek(first.start, image.length), image);
});

test("stages an image that is blank all over", () => {
  const image = new Uint8Array(3 * sector + 8).fill(0xff);
  const { chip, slot, start } = staging(8, image.length);
  dirty(chip, start, 8);
  prepare(slot);
  slot.resume();
  fill(slot, image);
  assert.deepEqual(chip.peek(start, image.length), image);
});

// ---- power cuts

const cutImage = imageOf(5 * sector + 1001);

/**
 * From a dirty slot to the end, as far as the power lasts; `prepared` is what the journal would
 * know.
 */
function stage(chip: NorFlash, prepared: { done: boolean }): { again: number } {
  const { slot } = staging(8, cutImage.length, chip);
  if (!prepared.done) prepare(slot);
  prepared.done = true;
  slot.resume();
  const resumedBytes = slot.receivedBytes;
  fill(slot, cutImage);
  return { again: cutImage.length - resumedBytes };
}

function operationsOf(run: (chip: NorFlash) => void): number {
  const { chip, start } = staging(8, cutImage.length);
  dirty(chip, start, 8);
  run(chip);
  return chip.counts.erases + chip.counts.writes;
}

const operations = operationsOf((chip) => void stage(chip, { done: false }));

for (const kind of cutKinds)
  test(`a power cut (${kind}) at any operation costs no more than the sector that was under way`, () => {
    assert.equal(operations, 7 + 6);
    for (let operation = 0; operation < operations; operation += 1)
      cutOnce(operation, kind, (chip, prepared, written) => {
        const { again } = stage(chip, prepared);
        const lostBytes = written - (cutImage.length - again);
        assert.ok(lostBytes <= sector, `operation ${operation}: ${lostBytes} bytes again`);
      });
  });

/**
 * Cuts at one operation of a clean run, then restores the power and calls `after` with what had
 * been written.
 */
function cutOnce(
  operation: number,
  kind: CutKind,
  after: (chip: NorFlash, prepared: { done: boolean }, writtenBytes: number) => void,
): void {
  const { chip, start } = staging(8, cutImage.length);
  dirty(chip, start, 8);
  const prepared = { done: false };
  chip.faultHook = cutAt(operation, kind);
  assert.throws(() => stage(chip, prepared), PowerCut);
  chip.faultHook = null;
  chip.restorePower();
  const written = Math.max(0, operation - 7) * sector;
  after(chip, prepared, prepared.done ? written : 0);
  assert.deepEqual(chip.peek(start, cutImage.length), cutImage, `operation ${operation}`);
}

test("two power cuts in a row leave the same image", () => {
  const cut = fc.tuple(fc.nat({ max: operations - 1 }), fc.constantFrom(...cutKinds));
  fc.assert(
    fc.property(cut, cut, ([first, firstKind], [second, secondKind]) => {
      cutOnce(first, firstKind, (chip, prepared) => {
        chip.faultHook = cutAt(second, secondKind);
        try {
          stage(chip, prepared);
        } catch (error) {
          assert.ok(error instanceof PowerCut);
        }
        chip.faultHook = null;
        chip.restorePower();
        stage(chip, prepared);
      });
    }),
    { numRuns: 200 },
  );
});
