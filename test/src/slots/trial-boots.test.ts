import assert from "node:assert/strict";
import { test } from "node:test";
import { NorFlash } from "../../../hosts/flash/nor-flash.ts";
import { readSpentBoots } from "../../../src/slots/trial-boots.ts";

/** A page whose entries hold these bytes first, null for an erased one. */
function page(writeBlockBytes: 1 | 4 | 32, entries: readonly (number | null)[]) {
  const chip = new NorFlash({ sizeBytes: 4096, writeBlockBytes });
  const entryBytes = Math.max(4, writeBlockBytes);
  for (const [index, first] of entries.entries())
    if (first !== null) chip.poke(index * entryBytes, Uint8Array.of(first));
  return chip.area(0, 4096);
}

const cases: ReadonlyArray<readonly [string, readonly (number | null)[], number, boolean]> = [
  ["nothing", [], 0, false],
  ["the second boot", [0], 1, false],
  ["the third boot", [0, 0], 2, false],
  ["the start of a revert", [0, 0, 0], 2, true],
  ["a torn entry, which counts as spent", [0x7f], 1, false],
  ["a later entry, which takes the earlier along", [null, 0], 2, false],
  ["the revert alone", [null, null, 0], 2, true],
];

for (const writeBlockBytes of [1, 4, 32] as const)
  for (const [what, entries, extraBoots, revertBegun] of cases)
    test(`reads ${what} in a page with blocks of ${writeBlockBytes} bytes`, () => {
      const spent = readSpentBoots(page(writeBlockBytes, entries));
      assert.deepEqual(spent, { extraBoots, revertBegun });
    });

test("looks at nothing behind the three entries", () => {
  const area = page(4, [null, null, null, 0]);
  assert.deepEqual(readSpentBoots(area), { extraBoots: 0, revertBegun: false });
});
