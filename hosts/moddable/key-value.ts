// embedded:storage/key-value on Linux: the partition "storage" of the flash file, in the format
// that a board has.
import flash from "embedded:storage/flash";
import type { KeyValue } from "../../src/ports/board.ts";
import type { FlashArea } from "../../src/ports/flash.ts";
import { openKeyValue } from "../simulator/storage/key-value.ts";
import { openSettings } from "../simulator/storage/settings.ts";

const label = "storage";

interface OpenOptions {
  readonly path?: string;
  readonly mode?: string;
  readonly format?: string;
}

/** A storage of ECMA-419 that knows the format "buffer" alone, which is what the firmware uses. */
class Storage {
  #domain: (KeyValue & { keys(): string[] }) | null;
  readonly #isReadOnly: boolean;

  constructor(domain: KeyValue & { keys(): string[] }, isReadOnly: boolean) {
    this.#domain = domain;
    this.#isReadOnly = isReadOnly;
  }

  close(): void {
    this.#domain = null;
  }

  /** Undefined for a key that was never written, as on Zephyr. */
  read(key: string): ArrayBuffer | undefined {
    return this.#opened().read(keyOf(key))?.slice().buffer as ArrayBuffer | undefined;
  }

  write(key: string, value: ArrayBuffer | ArrayBufferView): void {
    this.#writable().write(keyOf(key), bytesOf(value));
  }

  delete(key: string): void {
    this.#writable().delete(keyOf(key));
  }

  [Symbol.iterator](): IterableIterator<string> {
    return this.#opened().keys()[Symbol.iterator]();
  }

  get format(): string {
    return "buffer";
  }

  set format(format: string) {
    this.#opened();
    if (format !== "buffer") throw new RangeError(`storage has the format "buffer", not ${format}`);
  }

  #opened() {
    if (this.#domain === null) throw new SyntaxError("the storage was closed");
    return this.#domain;
  }

  #writable() {
    const domain = this.#opened();
    if (this.#isReadOnly) throw new Error("the storage was opened to be read only");
    return domain;
  }
}

export default Object.freeze({
  open({ path, mode = "r+", format = "buffer" }: OpenOptions): Storage {
    if (path === undefined) throw new Error("storage needs a path");
    if (mode !== "r" && mode !== "r+") throw new Error(`no mode "${mode}" for storage`);
    if (format !== "buffer") throw new RangeError(`no format "${format}" for storage here`);
    return new Storage(openKeyValue(openSettings(storageArea()), path), mode === "r");
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

function keyOf(key: unknown): string {
  if (key === undefined) throw new SyntaxError("a key is missing");
  return `${key}`; // a symbol throws TypeError, as it must
}

function bytesOf(value: unknown): Uint8Array {
  if (value === undefined) throw new SyntaxError("a value is missing");
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value;
    return new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
  }
  throw new TypeError("a value is a buffer of bytes");
}
