// embedded:storage/key-value on Linux: the partition "storage" of the flash file, in the format
// that a board has.
import flash from "embedded:storage/flash";
import type { FlashArea } from "../../../src/ports/flash.ts";
import { openKeyValue } from "../storage/key-value.ts";
import { openSettings } from "../storage/settings.ts";

const label = "storage";

export default Object.freeze({
  /**
   * Formats but "buffer" are none that the firmware uses; a value that was never written is
   * undefined, as on Zephyr.
   */
  open({ path }: { readonly path: string }) {
    const storage = openKeyValue(openSettings(storageArea()), path);
    return {
      format: "buffer",
      close(): void {},
      read(key: string): ArrayBuffer | undefined {
        return storage.read(key)?.slice().buffer as ArrayBuffer | undefined;
      },
      write(key: string, value: Uint8Array): void {
        storage.write(key, value);
      },
      delete(key: string): void {
        storage.delete(key);
      },
      [Symbol.iterator]: () => storage.keys()[Symbol.iterator](),
    };
  },
});

function storageArea(): FlashArea {
  const partition = flash.open({ path: label });
  const { size, blockLength, writeAlign } = partition.status();
  return {
    sizeBytes: size,
    sectorBytes: blockLength,
    writeBlockBytes: writeAlign,
    read: (offsetBytes, into) => void partition.read(into, offsetBytes),
    write: (offsetBytes, bytes) => partition.write(bytes, offsetBytes),
    erase: (offsetBytes, lengthBytes) =>
      partition.eraseBlock(offsetBytes / blockLength, (offsetBytes + lengthBytes) / blockLength),
  };
}
