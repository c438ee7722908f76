// embedded:storage/flash where the natives of native/flash.c or of the simulator are: the
// partitions that firmware may touch.

/** The SDK's compiler turns `native("name").call(this, ...)` into the C function of that name. */
declare function native(name: string): (...parameters: unknown[]) => unknown;

/** native/flash.c, or hosts/moddable/flash-module.c: partitions go by their index. */
const chip = Object.freeze({
  find(label: string) {
    return native("xs_sluice_flash_find").call(this, label) as number | undefined;
  },
  label(index: number) {
    return native("xs_sluice_flash_label").call(this, index) as string | undefined;
  },
  size(index: number) {
    return native("xs_sluice_flash_size").call(this, index) as number;
  },
  offset(index: number) {
    return native("xs_sluice_flash_offset").call(this, index) as number;
  },
  read(index: number, into: Bytes, offset: number) {
    return native("xs_sluice_flash_read").call(this, index, into, offset);
  },
  write(index: number, bytes: Bytes, offset: number) {
    return native("xs_sluice_flash_write").call(this, index, bytes, offset);
  },
  erase(index: number, start: number, end: number) {
    return native("xs_sluice_flash_erase").call(this, index, start, end);
  },
});

type Bytes = ArrayBuffer | ArrayBufferView;

interface OpenOptions {
  readonly path: string;
  readonly mode?: string;
  readonly format?: string;
}

const sectorBytes = 4096;
const writeBlockBytes = 4;

export class Flash {
  #index: number | null;
  readonly #isReadOnly: boolean;

  constructor(index: number, isReadOnly: boolean) {
    this.#index = index;
    this.#isReadOnly = isReadOnly;
  }

  close(): void {
    this.#index = null;
  }

  eraseBlock(start: number, end?: number): void {
    const index = this.#writable();
    const first = numberOf(start);
    chip.erase(index, first, end === undefined ? first + 1 : numberOf(end));
  }

  read(byteLength: number, byteOffset: number): ArrayBuffer;
  read(buffer: Bytes, byteOffset: number): number;
  read(wanted: number | Bytes, byteOffset: number): ArrayBuffer | number {
    const index = this.#opened();
    const into = typeof wanted === "number" ? new ArrayBuffer(wanted) : wanted;
    chip.read(index, into, byteOffset);
    return typeof wanted === "number" ? (into as ArrayBuffer) : into.byteLength;
  }

  write(buffer: Bytes, byteOffset: number): void {
    chip.write(this.#writable(), buffer, byteOffset);
  }

  status() {
    const index = this.#opened();
    const size = chip.size(index);
    return {
      size,
      blockLength: sectorBytes,
      blocks: size / sectorBytes,
      writeAlign: writeBlockBytes,
      eraseValue: 255,
      offset: chip.offset(index),
    };
  }

  get format(): "buffer" {
    return "buffer";
  }

  set format(format: string) {
    if (format !== "buffer") throw new RangeError(`flash has the format "buffer", not "${format}"`);
  }

  #opened(): number {
    if (this.#index === null) throw new SyntaxError("the flash was closed");
    return this.#index;
  }

  #writable(): number {
    const index = this.#opened();
    if (this.#isReadOnly) throw new Error("the flash was opened to be read only");
    return index;
  }
}

export default Object.freeze({
  open({ path, mode = "r+", format = "buffer" }: OpenOptions): Flash {
    const index = chip.find(path);
    if (index === undefined) throw new Error(`no flash partition "${path}"`);
    if (mode !== "r" && mode !== "r+") throw new Error(`no mode "${mode}" for flash`);
    if (format !== "buffer") throw new RangeError(`no format "${format}" for flash`);
    return new Flash(index, mode === "r");
  },
  *[Symbol.iterator](): Generator<string> {
    for (let index = 0; ; index += 1) {
      const label = chip.label(index);
      if (label === undefined) return;
      yield label;
    }
  },
});

/** Takes a number as the SDK's own modules do: text is read as one, a BigInt is a TypeError. */
function numberOf(value: unknown): number {
  if (value === undefined) throw new SyntaxError("a number is missing");
  return +(value as number);
}
