import keyValue from "embedded:storage/key-value";
import { type KeyValue, StorageError } from "../ports/board.ts";

/** One domain of the board's key-value storage. */
export function openKeyValue(path: string): KeyValue {
  const storage = keyValue.open({ path, format: "buffer" });
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
