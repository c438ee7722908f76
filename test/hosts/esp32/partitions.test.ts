import assert from "node:assert/strict";
import { test } from "node:test";
import { generatedFiles, readText } from "../../../hosts/esp32/generate.ts";
import {
  type Extent,
  flashMiBs,
  partitionNames,
  partitionTable,
  sectorBytes,
  socs,
} from "../../../hosts/esp32/partitions.ts";
import { slotMapEnd, slotMapStart, withSlotMap } from "../../../hosts/esp32/slot-map.ts";

const choices = socs.flatMap((soc) => flashMiBs.map((flashMiB) => ({ soc, flashMiB })));

for (const file of generatedFiles())
  test(`${file.path} says what the partition table says`, () => {
    assert.equal(readText(file.path), file.text, `${file.path} is stale: run npm run generate`);
  });

for (const choice of choices)
  test(`the partitions of ${choice.soc} with ${choice.flashMiB} MiB neither overlap nor leave the flash`, () => {
    const table = partitionTable(choice);
    let end = 0;
    for (const name of partitionNames) {
      const { offset, size }: Extent = table[name];
      assert.ok(
        offset >= end,
        `${name} at 0x${offset.toString(16)} starts before 0x${end.toString(16)}`,
      );
      assert.equal(offset % sectorBytes, 0, name);
      assert.equal(size % sectorBytes, 0, name);
      end = offset + size;
    }
    assert.equal(end, choice.flashMiB * 1024 * 1024);
  });

test("bootctl is the sector right after storage", () => {
  for (const choice of choices) {
    const { storage, bootctl } = partitionTable(choice);
    assert.deepEqual(bootctl, { offset: storage.offset + storage.size, size: sectorBytes });
  }
});

test("slots are equal, as swap using move wants them", () => {
  for (const choice of choices) {
    const { slot0, slot1 } = partitionTable(choice);
    assert.equal(slot0.size, slot1.size);
  }
});

test("only the original ESP32 starts its bootloader at 0x1000", () => {
  const starts = socs.map((soc) => [soc, partitionTable({ soc, flashMiB: 4 }).boot.offset]);
  assert.deepEqual(starts, [
    ["esp32c6", 0],
    ["esp32c3", 0],
    ["esp32s3", 0],
    ["esp32", 0x1000],
  ]);
});

test("a page gets the slot map between its markers and keeps the rest", () => {
  const page = withSlotMap(`before\n${slotMapStart}\nstale\n${slotMapEnd}\nafter\n`);
  assert.ok(page.startsWith(`before\n${slotMapStart}\n\n| partition`));
  assert.ok(page.endsWith(`${slotMapEnd}\nafter\n`));
  assert.ok(!page.includes("stale"));
});

test("a page without markers is refused", () => {
  assert.throws(() => withSlotMap("no block here"), /no slot map block/);
});
