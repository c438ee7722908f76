/** The largest of what the SDK's debug build reported, in what it counts itself. */
export interface XsMemory {
  /**
   * Allocated for slots and for chunks, as board-heap.c tells it; XS never gives any of it back.
   */
  readonly slots: number;
  readonly chunkBytes: number;
  /** High-water mark. */
  readonly stackSlots: number;
}

export const noMemory: XsMemory = { slots: 0, chunkBytes: 0, stackSlots: 0 };

/** A slot on a 32-bit board, and on the 64-bit machine whose numbers are reported. */
export const boardSlotBytes = 16;
const reportedSlotBytes = 32;

/** What an XS heap of this would take on a board, its stack included. */
export function boardBytes(memory: XsMemory): number {
  return boardHeapBytes(memory) + memory.stackSlots * boardSlotBytes;
}

/** Slots and chunks: what a board has a bound for, since the stack is given once and for all. */
export function boardHeapBytes({ slots, chunkBytes }: XsMemory): number {
  return slots * boardSlotBytes + chunkBytes;
}

export function larger(one: XsMemory, other: Partial<XsMemory>): XsMemory {
  return {
    slots: Math.max(one.slots, other.slots ?? 0),
    chunkBytes: Math.max(one.chunkBytes, other.chunkBytes ?? 0),
    stackSlots: Math.max(one.stackSlots, other.stackSlots ?? 0),
  };
}

const stackColumn = "Stack used";

/**
 * Reads the lines that a debug build prints each second, a key with names, then numbers, and those
 * that board-heap.c prints at each growth of the heap.
 */
export class InstrumentReader {
  #names: readonly string[] = [];

  /** Null for every other line. */
  read(line: string): Partial<XsMemory> | null {
    const key = /^instruments key: (.*)$/.exec(line)?.[1];
    if (key !== undefined) this.#names = key.split(",");
    const heap = /^heap: (\d+) slots, (\d+) bytes of chunks$/.exec(line);
    if (heap !== null) return { slots: Number(heap[1]), chunkBytes: Number(heap[2]) };
    const values = /^instruments: (.*)$/.exec(line)?.[1]?.split(",");
    if (values === undefined) return null;
    const bytes = Number(values[this.#names.indexOf(stackColumn)]);
    if (!Number.isInteger(bytes))
      throw new Error(`no "${stackColumn}" among the instruments: ${line}`);
    return { stackSlots: bytes / reportedSlotBytes };
  }
}
