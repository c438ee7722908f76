import { type KeyValue, StorageError } from "../../../src/ports/board.ts";
import type { Settings } from "./settings.ts";

/** Limits of the port `KeyValue`. */
export const keyCharactersMax = 32;
export const valueBytesMax = 1024;

/** The Moddable SDK puts the format before every value; buffers are 2 (kIOFormatBuffer). */
const bufferFormat = 2;

/**
 * One path of the settings as the firmware sees it through `embedded:storage/key-value` with the
 * format "buffer" on Zephyr: settings named `path/key` whose values start with the format. Empty
 * values are values.
 */
export function openKeyValue(settings: Settings, path: string): KeyValue & { keys(): string[] } {
  const prefix = `${path}/`;
  return {
    read(key) {
      const stored = settings.read(prefix + key);
      return stored?.[0] === bufferFormat ? stored.slice(1) : null;
    },
    write(key, value) {
      if (key.length === 0 || key.length > keyCharactersMax)
        throw new StorageError(
          `the key "${key}" has ${key.length} characters, must have 1 to ${keyCharactersMax}`,
        );
      if (value.length > valueBytesMax)
        throw new StorageError(
          `the value of "${key}" has ${value.length} bytes, may have ${valueBytesMax}`,
        );
      const stored = new Uint8Array(1 + value.length);
      stored[0] = bufferFormat;
      stored.set(value, 1); // spread into a call, each byte would be a slot of XS's stack
      settings.write(prefix + key, stored);
    },
    delete(key) {
      settings.delete(prefix + key);
    },
    keys() {
      const own = settings.keys().filter((name) => name.startsWith(prefix));
      return own.map((name) => name.slice(prefix.length));
    },
  };
}
