import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkSlotLayout, type SlotLayout } from "../../../src/image/layout.ts";
import { loadMcubootVectors } from "../../support/mcuboot-vectors.ts";
import { skipWithoutVectors } from "../../support/vectors.ts";

const fourMegabytes: SlotLayout = {
  sectorBytes: 4096,
  writeBlockBytes: 4,
  maxAlignBytes: 8,
  primary: { offsetBytes: 0x20000, sizeBytes: 0x1c0000 },
  secondary: { offsetBytes: 0x1e0000, sizeBytes: 0x1c0000 },
};

test("the slots of a 4 MiB ESP32 take an image of 445 of their 448 sectors", () => {
  const checked = checkSlotLayout(fourMegabytes);
  assert.ok(checked.ok);
  assert.equal(checked.layout.sectors, 448);
  assert.equal(checked.layout.trailerSectors, 2);
  assert.equal(checked.layout.imageBytesMax, 1822720);
});

const refused: ReadonlyArray<{ name: string; change: Partial<SlotLayout>; message: RegExp }> = [
  {
    name: "slots of different sizes",
    change: { secondary: { offsetBytes: 0x1e0000, sizeBytes: 0x1bf000 } },
    message: /^the primary slot has 1835008 bytes, the secondary 1830912: make them equal$/,
  },
  {
    name: "overlapping slots",
    change: { secondary: { offsetBytes: 0x1df000, sizeBytes: 0x1c0000 } },
    message: /131072 to 1966080, overlaps the secondary, 1961984 to 3796992$/,
  },
  {
    name: "a slot that does not start on a sector",
    change: { primary: { offsetBytes: 0x20800, sizeBytes: 0x1c0000 } },
    message: /primary slot, 1835008 bytes at 133120, .* sectors of 4096 bytes$/,
  },
  {
    name: "a slot that does not end on a sector",
    change: { secondary: { offsetBytes: 0x1e0000, sizeBytes: 0x1c0001 } },
    message: /secondary slot, 1835009 bytes at 1966080/,
  },
  {
    name: "a sector that is not made of write blocks",
    change: { sectorBytes: 4098 },
    message: /^a sector of 4098 bytes is not a multiple of the 4-byte write block$/,
  },
  {
    name: "slots without room for an image",
    change: {
      primary: { offsetBytes: 0x20000, sizeBytes: 0x2000 },
      secondary: { offsetBytes: 0x30000, sizeBytes: 0x2000 },
    },
    message: /^a slot of 2 sectors has no room for an image: 1 hold the trailer and 1 is moved/,
  },
];

for (const { name, change, message } of refused) {
  test(`refuses ${name}, with the numbers`, () => {
    const checked = checkSlotLayout({ ...fourMegabytes, ...change });
    assert.ok(!checked.ok);
    assert.match(checked.message, message);
  });
}

describe("recorded layouts", { skip: skipWithoutVectors }, () => {
  test("the largest image is the one of every recorded move configuration", () => {
    const vectors = loadMcubootVectors();
    const moves = Object.entries(vectors.configs).filter(
      ([, config]) => config.flags.upgrade_mode === "swap-using-move",
    );
    assert.equal(moves.length, 6);
    for (const [name, config] of moves) {
      const layout = vectors.layouts[config.layout];
      assert.ok(layout);
      const checked = checkSlotLayout({
        sectorBytes: layout.sector_size,
        writeBlockBytes: config.flags.write_size,
        maxAlignBytes: config.flags.max_align === 32 ? 32 : 8,
        primary: { offsetBytes: layout.primary.offset, sizeBytes: layout.primary.size },
        secondary: { offsetBytes: layout.secondary.offset, sizeBytes: layout.secondary.size },
      });
      assert.ok(checked.ok, name);
      assert.equal(checked.layout.imageBytesMax, config.max_image_size, name);
    }
  });
});
