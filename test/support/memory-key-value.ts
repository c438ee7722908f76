import { type KeyValue, StorageError } from "../../src/ports/board.ts";

/** A value of the storage holds no more; keys are at most 32 characters. */
export const valueBytesMax = 1024;

/**
 * Key-value storage in memory, with the limits of the port. It outlives the agents that use it, as
 * storage does.
 */
export class MemoryKeyValue implements KeyValue {
  readonly values = new Map<string, Uint8Array>();
  /** Every write that was taken, in order. */
  readonly writes: { readonly key: string; readonly bytes: number }[] = [];
  /** Answers true to refuse a write. */
  refuses: (key: string, value: Uint8Array) => boolean = () => false;

  read(key: string): Uint8Array | null {
    return this.values.get(key)?.slice() ?? null;
  }

  write(key: string, value: Uint8Array): void {
    if (value.length > valueBytesMax)
      throw new StorageError(`${value.length} bytes under ${key}, at most ${valueBytesMax}`);
    if (key.length > 32) throw new StorageError(`a key of ${key.length} characters`);
    if (this.refuses(key, value)) throw new StorageError("the storage is full");
    this.values.set(key, value.slice());
    this.writes.push({ key, bytes: value.length });
  }

  delete(key: string): void {
    this.values.delete(key);
  }
}
