import assert from "node:assert/strict";
import { test } from "node:test";
import { generatedFiles, readText } from "../../../hosts/esp32/generate.ts";
import { withBlock } from "../../../hosts/esp32/markdown-block.ts";
import { imageBytesMax, slotMapBlock } from "../../../hosts/esp32/slot-map.ts";
import { sectorBytes } from "../../../hosts/flash/geometry.ts";
import type { Extent } from "../../../hosts/flash/layout.ts";
import {
  flashMiBs,
  partitionNames,
  partitionTable,
  socs,
  writeBlockBytes,
} from "../../../hosts/flash/partitions.ts";
import { checkSlotLayout } from "../../../src/image/layout.ts";

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
      const { offsetBytes: offset, sizeBytes: size }: Extent = table[name];
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
    assert.deepEqual(bootctl, {
      offsetBytes: storage.offsetBytes + storage.sizeBytes,
      sizeBytes: sectorBytes,
    });
  }
});

for (const choice of choices)
  test(`swap using move can work with the slots of ${choice.soc} with ${choice.flashMiB} MiB`, () => {
    const { slot0, slot1 } = partitionTable(choice);
    const checked = checkSlotLayout({
      sectorBytes,
      writeBlockBytes,
      maxAlignBytes: 8,
      primary: { offsetBytes: slot0.offsetBytes, sizeBytes: slot0.sizeBytes },
      secondary: { offsetBytes: slot1.offsetBytes, sizeBytes: slot1.sizeBytes },
    });
    assert.ok(checked.ok, checked.ok ? "" : checked.message);
    assert.equal(checked.layout.imageBytesMax, imageBytesMax(choice.flashMiB));
  });

test("the largest image of a 4 MiB flash is the one that MCUboot takes", () => {
  assert.equal(imageBytesMax(4), (448 - 2 - 1) * 4096);
});

test("only the original ESP32 starts its bootloader at 0x1000", () => {
  const starts = socs.map((soc) => [soc, partitionTable({ soc, flashMiB: 4 }).boot.offsetBytes]);
  assert.deepEqual(starts, [
    ["esp32c6", 0],
    ["esp32c3", 0],
    ["esp32s3", 0],
    ["esp32", 0x1000],
  ]);
});

test("a page gets the slot map between its markers and keeps the rest", () => {
  const { start, end } = slotMapBlock;
  const page = withBlock(`before\n${start}\nstale\n${end}\nafter\n`, slotMapBlock);
  assert.ok(page.startsWith(`before\n${start}\n\n| partition`));
  assert.ok(page.endsWith(`${end}\nafter\n`));
  assert.ok(!page.includes("stale"));
});

test("a page without markers is refused", () => {
  assert.throws(() => withBlock("no block here", slotMapBlock), /no block in the page/);
});
