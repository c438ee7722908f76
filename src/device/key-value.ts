import keyValue, { type Storage } from "embedded:storage/key-value";
import { type KeyValue, StorageError } from "../ports/board.ts";

/** One domain of the board's key-value storage, for as long as the firmware runs. */
export function openKeyValue(path: string): KeyValue {
  return keyValueOf(keyValue.open({ path, format: "buffer" }));
}

/** For one use: it is closed behind it, whatever happens. */
export function withKeyValue<T>(path: string, use: (opened: KeyValue) => T): T {
  const storage = keyValue.open({ path, format: "buffer" });
  try {
    return use(keyValueOf(storage));
  } finally {
    storage.close();
  }
}

function keyValueOf(storage: Storage): KeyValue {
  return {
    read(key) {
      try {
        const value = storage.read(key);
        return value === undefined ? null : new Uint8Array(value as ArrayBuffer);
      } catch {
        // A key never written is undefined on Zephyr, and an exception on the SDK's other ports.
        return null;
      }
    },
    write(key, value) {
      attempt(`write of ${value.length} bytes under ${key}`, () => storage.write(key, value));
    },
    delete(key) {
      attempt(`delete of ${key}`, () => storage.delete(key));
    },
  };
}

function attempt(operation: string, run: () => void): void {
  try {
    run();
  } catch (error) {
    throw new StorageError(`${operation}: ${String(error)}`);
  }
}
