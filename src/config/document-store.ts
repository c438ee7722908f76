import { type KeyValue, StorageError } from "../ports/board.ts";
import { crc32 } from "./crc32.ts";

/** No store takes a larger document. */
export const documentBytesMax = 16 * 1024;
/**
 * What a document puts under one key: four such values fit a 4 KiB sector of Zephyr's NVS, even in
 * the 32-byte write blocks of flash encryption; of the largest ones, 1,024 bytes, three would.
 */
export const storedValueBytesMax = 888;
const headBytes = 16;
const stampBytes = 4;
const firstPartBytes = storedValueBytesMax - headBytes;
const partBytes = storedValueBytesMax - stampBytes;
/** Keys of one generation beside the head. */
export const partsMax = Math.ceil((documentBytesMax - firstPartBytes) / partBytes);
/**
 * Behind it come `.`, the generation's place, `.` and the part's number; a key has 32 characters.
 */
const documentNameCharactersMax = 27;
const headFormat = 1;

/** What tells which parts a document has. */
interface PartSet {
  readonly generation: number;
  readonly documentBytes: number;
}

interface Head extends PartSet {
  readonly crc: number;
  /** The whole value, whose rest is the document's first part. */
  readonly value: Uint8Array;
}

/**
 * A document that may be larger than one value of the key-value storage, replaced as a whole:
 *
 *   key        value
 *   NAME       format 1 | 0 0 0 | generation u32 | bytes u32 | CRC-32 u32 | first 872 bytes
 *   NAME.G.0   generation u32 | next 884 bytes                            G = generation & 1
 *   NAME.G.1   ...                                                        all little endian
 *
 * A write puts the parts of the next generation beside those of the standing one and then replaces
 * the head, which is one atomic value: that is the switch. A power cut before it leaves the old
 * document, after it the new one, never a mixture. Parts are written upwards and deleted downwards,
 * so those that a cut leaves behind begin at 0: the next open finds them by looking until one is
 * missing, and deletes at most 2 x `partsMax` keys. A document of up to 872 bytes is one write.
 *
 * The CRC covers the first 12 bytes of the head and the document, and every part carries its
 * generation: a storage that lost or swapped a value gives null, never wrong bytes. It is no
 * protection from somebody who writes the storage; what must be authentic is signed inside.
 */
export class DocumentStore {
  readonly bytesMax: number;
  readonly #keyValue: KeyValue;
  readonly #name: string;

  /** Opens the document and deletes what a cut write or delete left behind. */
  constructor(keyValue: KeyValue, name: string, { bytesMax }: { readonly bytesMax: number }) {
    if (name.length === 0 || name.length > documentNameCharactersMax)
      throw new RangeError(
        `the document name "${name}" has ${name.length} characters, must have 1 to ${documentNameCharactersMax}`,
      );
    if (!Number.isInteger(bytesMax) || bytesMax < 1 || bytesMax > documentBytesMax)
      throw new RangeError(`bytesMax is ${bytesMax}, must be 1 to ${documentBytesMax}`);
    this.#keyValue = keyValue;
    this.#name = name;
    this.bytesMax = bytesMax;
    const head = this.#head();
    // A head that this firmware cannot read may be a later firmware's: its parts are left alone.
    if (head !== null || !this.exists) this.#cleanAround(head, null);
  }

  /** Something stands under the name; `read` may still refuse it as damaged or too large. */
  get exists(): boolean {
    return this.#keyValue.read(this.#name) !== null;
  }

  /** The document; null when there is none, when it is damaged, or larger than `bytesMax`. */
  read(): Uint8Array | null {
    const head = this.#head();
    if (head === null || head.documentBytes > this.bytesMax) return null;
    const document = new Uint8Array(head.documentBytes);
    const first = head.value.subarray(headBytes);
    if (first.length !== Math.min(document.length, firstPartBytes)) return null;
    document.set(first);
    const parts = partsOf(document.length);
    for (let index = 0; index < parts; index += 1) {
      const value = this.#keyValue.read(this.#key(head.generation & 1, index));
      const range = rangeOf(index, document.length);
      if (value === null || value.length !== stampBytes + range.end - range.start) return null;
      if (viewOf(value).getUint32(0, true) !== head.generation) return null;
      document.set(value.subarray(stampBytes), range.start);
    }
    return checksum(head.value, document) === head.crc ? document : null;
  }

  /**
   * Replaces the document; the one that stands there already costs no write. Throws `StorageError`
   * when it is too large or the storage is full: the old document then stands and the parts of the
   * new one are gone. A power cut leaves the old document or the new one.
   */
  write(document: Uint8Array): void {
    if (document.length > this.bytesMax)
      throw new StorageError(
        `the document ${this.#name} has ${document.length} bytes, may have ${this.bytesMax}`,
      );
    const old = this.#head();
    if (old?.documentBytes === document.length && this.#holds(document)) return;
    const generation = old === null ? 1 : (old.generation + 1) >>> 0;
    try {
      this.#writeParts(generation, document);
      this.#keyValue.write(this.#name, encodeHead(generation, document));
    } catch (error) {
      if (error instanceof StorageError) this.#clean(generation & 1, 0, 0);
      throw error;
    }
    this.#cleanAround({ generation, documentBytes: document.length }, old);
  }

  /** Removes the document; a power cut leaves it whole or gone. Throws `StorageError`. */
  delete(): void {
    const old = this.#head();
    this.#keyValue.delete(this.#name);
    this.#cleanAround(null, old);
  }

  #writeParts(generation: number, document: Uint8Array): void {
    const parts = partsOf(document.length);
    for (let index = 0; index < parts; index += 1) {
      const { start, end } = rangeOf(index, document.length);
      const value = new Uint8Array(stampBytes + end - start);
      viewOf(value).setUint32(0, generation, true);
      value.set(document.subarray(start, end), stampBytes);
      this.#keyValue.write(this.#key(generation & 1, index), value);
    }
  }

  #holds(document: Uint8Array): boolean {
    const standing = this.read();
    return standing?.every((byte, index) => byte === document[index]) ?? false;
  }

  #head(): Head | null {
    const value = this.#keyValue.read(this.#name);
    if (value === null || value.length < headBytes || value[0] !== headFormat) return null;
    const view = viewOf(value);
    const documentBytes = view.getUint32(8, true);
    if (documentBytes > documentBytesMax) return null;
    return {
      generation: view.getUint32(4, true),
      documentBytes,
      crc: view.getUint32(12, true),
      value,
    };
  }

  /** Deletes every part but those of `kept`, with those of `old` even behind one that was lost. */
  #cleanAround(kept: PartSet | null, old: PartSet | null): void {
    for (const place of [0, 1]) this.#clean(place, partsAt(place, kept), partsAt(place, old));
  }

  /** Deletes the parts of one place from `first` on, the last of them first. */
  #clean(place: number, first: number, known: number): void {
    let end = Math.max(first, known);
    while (end < partsMax && this.#keyValue.read(this.#key(place, end)) !== null) end += 1;
    try {
      for (let index = end - 1; index >= first; index -= 1)
        this.#keyValue.delete(this.#key(place, index));
    } catch (error) {
      // The document is as it should be; what stays is found again at the next open or write.
      if (!(error instanceof StorageError)) throw error;
    }
  }

  #key(place: number, index: number): string {
    return `${this.#name}.${place}.${index}`;
  }
}

function encodeHead(generation: number, document: Uint8Array): Uint8Array {
  const first = document.subarray(0, firstPartBytes);
  const value = new Uint8Array(headBytes + first.length);
  const view = viewOf(value);
  view.setUint8(0, headFormat);
  view.setUint32(4, generation, true);
  view.setUint32(8, document.length, true);
  view.setUint32(12, checksum(value, document), true);
  value.set(first, headBytes);
  return value;
}

function checksum(head: Uint8Array, document: Uint8Array): number {
  return crc32(document, crc32(head.subarray(0, 12)));
}

function partsAt(place: number, set: PartSet | null): number {
  return set !== null && place === (set.generation & 1) ? partsOf(set.documentBytes) : 0;
}

/** Parts behind the first one. */
function partsOf(documentBytes: number): number {
  return Math.max(0, Math.ceil((documentBytes - firstPartBytes) / partBytes));
}

function rangeOf(
  index: number,
  documentBytes: number,
): { readonly start: number; readonly end: number } {
  const start = firstPartBytes + index * partBytes;
  return { start, end: Math.min(start + partBytes, documentBytes) };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
