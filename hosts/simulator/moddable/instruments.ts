/** The largest of what the SDK's debug build reported, in what it counts itself. */
export interface XsMemory {
  /** Allocated for slots and for chunks; XS never gives any of it back. */
  readonly slots: number;
  readonly chunkBytes: number;
  /** High-water mark. */
  readonly stackSlots: number;
}

export const noMemory: XsMemory = { slots: 0, chunkBytes: 0, stackSlots: 0 };

/** A slot on a 32-bit board, and on the 64-bit machine whose numbers are reported. */
export const boardSlotBytes = 16;
const reportedSlotBytes = 32;

/** What an XS heap of this would take on a board. */
export function boardBytes({ slots, chunkBytes, stackSlots }: XsMemory): number {
  return (slots + stackSlots) * boardSlotBytes + chunkBytes;
}

export function larger(one: XsMemory, other: XsMemory): XsMemory {
  return {
    slots: Math.max(one.slots, other.slots),
    chunkBytes: Math.max(one.chunkBytes, other.chunkBytes),
    stackSlots: Math.max(one.stackSlots, other.stackSlots),
  };
}

const columns = {
  slots: "Slot available",
  chunks: "Chunk available",
  stack: "Stack used",
} as const;

/** Reads the lines that a debug build prints each second: a key with names, then numbers. */
export class InstrumentReader {
  #names: readonly string[] = [];

  /** Null for every other line. */
  read(line: string): XsMemory | null {
    const key = /^instruments key: (.*)$/.exec(line)?.[1];
    if (key !== undefined) this.#names = key.split(",");
    const values = /^instruments: (.*)$/.exec(line)?.[1]?.split(",");
    if (values === undefined) return null;
    const numberIn = (name: string): number => {
      const value = Number(values[this.#names.indexOf(name)]);
      if (!Number.isInteger(value)) throw new Error(`no "${name}" among the instruments: ${line}`);
      return value;
    };
    return {
      slots: numberIn(columns.slots) / reportedSlotBytes,
      chunkBytes: numberIn(columns.chunks),
      stackSlots: numberIn(columns.stack) / reportedSlotBytes,
    };
  }
}
