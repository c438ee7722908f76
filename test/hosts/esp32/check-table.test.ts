import assert from "node:assert/strict";
import { test } from "node:test";
import { tableDefect } from "../../../hosts/esp32/check-table.ts";
import { type PartitionTable, partitionTable } from "../../../hosts/flash/partitions.ts";

const flashBytes = 4 * 1024 * 1024;
const good = partitionTable({ soc: "esp32c3", flashMiB: 4 });

test("finds nothing wrong with the table of a board", () => {
  assert.equal(tableDefect(good, flashBytes), null);
});

const refusals: ReadonlyArray<readonly [string, Partial<PartitionTable>, RegExp]> = [
  [
    "slots of unequal size",
    { slot1: { offsetBytes: 0x1e0000, sizeBytes: 0x1bf000 } },
    /primary slot has 1835008 bytes, the secondary 1830912: make them equal/,
  ],
  [
    "slots that overlap",
    { slot1: { offsetBytes: 0x1d0000, sizeBytes: 0x1c0000 } },
    /slot0 ends at 1966080, slot1 starts at 1900544/,
  ],
  [
    "a slot off the sectors",
    { slot0: { offsetBytes: 0x20800, sizeBytes: 0x1bf000 } },
    /slot0, 1830912 bytes at 133120, does not lie on whole sectors of 4096 bytes/,
  ],
  [
    "slots too small for an image",
    {
      slot0: { offsetBytes: 0x20000, sizeBytes: 0x2000 },
      slot1: { offsetBytes: 0x1e0000, sizeBytes: 0x2000 },
    },
    /a slot of 2 sectors has no room for an image/,
  ],
  [
    "a partition behind the end of the flash",
    { coredump: { offsetBytes: 0x3ff000, sizeBytes: 0x2000 } },
    /coredump ends at 4198400, the flash at 4194304/,
  ],
  [
    "a storage that reaches into bootctl",
    { storage: { offsetBytes: 0x3b0000, sizeBytes: 0x31000 } },
    /storage ends at 4067328, bootctl starts at 4063232/,
  ],
  [
    "a bootctl of two sectors",
    { bootctl: { offsetBytes: 0x3e0000, sizeBytes: 0x2000 } },
    /bootctl has 8192 bytes, not one sector of 4096/,
  ],
];

for (const [name, change, says] of refusals)
  test(`refuses to build for a table with ${name}`, () => {
    assert.match(tableDefect({ ...good, ...change }, flashBytes) ?? "nothing", says);
  });
