import { checkSlotLayout } from "../../src/image/layout.ts";
import { sectorBytes } from "../flash/geometry.ts";
import type { Extent } from "../flash/layout.ts";
import {
  type PartitionName,
  type PartitionTable,
  partitionNames,
  writeBlockBytes,
} from "../flash/partitions.ts";

/**
 * Why nothing may be built for such a table, with the numbers; null for one that a board can be
 * updated with.
 */
export function tableDefect(table: PartitionTable, flashBytes: number): string | null {
  for (const name of partitionNames) {
    const { offsetBytes: offset, sizeBytes: size } = table[name];
    if (size === 0 || offset % sectorBytes !== 0 || size % sectorBytes !== 0)
      return `${name}, ${size} bytes at ${offset}, does not lie on whole sectors of ${sectorBytes} bytes`;
    if (offset + size > flashBytes)
      return `${name} ends at ${offset + size}, the flash at ${flashBytes}`;
  }
  return overlap(table) ?? slotDefect(table) ?? bootctlDefect(table.bootctl);
}

function overlap(table: PartitionTable): string | null {
  const sorted = partitionNames
    .map((name): readonly [PartitionName, Extent] => [name, table[name]])
    .toSorted(([, one], [, other]) => one.offsetBytes - other.offsetBytes);
  for (const [index, [name, { offsetBytes: offset, sizeBytes: size }]] of sorted.entries()) {
    const next = sorted[index + 1];
    if (next !== undefined && offset + size > next[1].offsetBytes)
      return `${name} ends at ${offset + size}, ${next[0]} starts at ${next[1].offsetBytes}`;
  }
  return null;
}

function slotDefect({ slot0, slot1 }: PartitionTable): string | null {
  const checked = checkSlotLayout({
    sectorBytes,
    writeBlockBytes,
    maxAlignBytes: 8,
    primary: { offsetBytes: slot0.offsetBytes, sizeBytes: slot0.sizeBytes },
    secondary: { offsetBytes: slot1.offsetBytes, sizeBytes: slot1.sizeBytes },
  });
  return checked.ok ? null : checked.message;
}

function bootctlDefect({ sizeBytes: size }: Extent): string | null {
  return size === sectorBytes
    ? null
    : `bootctl has ${size} bytes, not one sector of ${sectorBytes}`;
}
