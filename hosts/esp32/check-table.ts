import { checkSlotLayout } from "../../src/image/layout.ts";
import {
  type Extent,
  type PartitionName,
  type PartitionTable,
  partitionNames,
  sectorBytes,
  writeBlockBytes,
} from "./partitions.ts";

/** Why nothing may be built for such a table, with the numbers; null for one that a board can be updated with. */
export function tableDefect(table: PartitionTable, flashBytes: number): string | null {
  for (const name of partitionNames) {
    const { offset, size } = table[name];
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
    .toSorted(([, one], [, other]) => one.offset - other.offset);
  for (const [index, [name, { offset, size }]] of sorted.entries()) {
    const next = sorted[index + 1];
    if (next !== undefined && offset + size > next[1].offset)
      return `${name} ends at ${offset + size}, ${next[0]} starts at ${next[1].offset}`;
  }
  return null;
}

function slotDefect({ slot0, slot1 }: PartitionTable): string | null {
  const checked = checkSlotLayout({
    sectorBytes,
    writeBlockBytes,
    maxAlignBytes: 8,
    primary: { offsetBytes: slot0.offset, sizeBytes: slot0.size },
    secondary: { offsetBytes: slot1.offset, sizeBytes: slot1.size },
  });
  return checked.ok ? null : checked.message;
}

function bootctlDefect({ size }: Extent): string | null {
  return size === sectorBytes
    ? null
    : `bootctl has ${size} bytes, not one sector of ${sectorBytes}`;
}
