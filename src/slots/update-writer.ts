import { type FlashArea, FlashError } from "../ports/flash.ts";
import { eraseUnlessBlank } from "./blank-sectors.ts";

/** Where blocks are larger than this, flash is encrypted: a block can be programmed only once. */
const sharedBlockBytesMax = 8;

/** Read at once when a sector is looked at; sectors are multiples of it. */
const lookBytes = 512;

/**
 * Writes of any size and order to a slot whose flash takes whole blocks into erased sectors. A
 * sector is erased when the first byte for it comes, the trailer's sectors before all others: with
 * those gone, no power cut can make the bootloader look at half an image.
 */
export class UpdateWriter {
  readonly #slot: FlashArea;
  readonly #trailerBytes: number;
  /** A bit per sector that is erased or was since then written. */
  readonly #ready: Uint8Array;
  /** The last, unfinished block of `append`. */
  readonly #tail: Uint8Array;
  readonly #look = new Uint8Array(lookBytes);
  #tailBytes = 0;
  #writtenBytes = 0;

  constructor(slot: FlashArea, trailerBytes: number) {
    this.#slot = slot;
    this.#trailerBytes = trailerBytes;
    this.#ready = new Uint8Array(Math.ceil(slot.sizeBytes / slot.sectorBytes / 8));
    this.#tail = new Uint8Array(slot.writeBlockBytes);
  }

  /** Accepted so far; bytes that were written twice count twice. */
  get writtenBytes(): number {
    return this.#writtenBytes;
  }

  /** Takes the next bytes of the image. Throws `FlashError`. */
  append(bytes: Uint8Array): void {
    const block = this.#tail.length;
    let taken = 0;
    if (this.#tailBytes > 0) {
      taken = Math.min(block - this.#tailBytes, bytes.length);
      this.#keep(bytes.subarray(0, taken));
    }
    const wholeEnd = taken + Math.floor((bytes.length - taken) / block) * block;
    this.#program(this.#writtenBytes, bytes.subarray(taken, wholeEnd));
    this.#writtenBytes += wholeEnd - taken;
    this.#keep(bytes.subarray(wholeEnd));
  }

  /**
   * Takes bytes at an offset; blocks that two writes share are completed in place. Throws
   * `FlashError`.
   */
  writeAt(offsetBytes: number, bytes: Uint8Array): void {
    const block = this.#tail.length;
    const endBytes = offsetBytes + bytes.length;
    const wholeStart = Math.min(Math.ceil(offsetBytes / block) * block, endBytes);
    const wholeEnd = Math.max(Math.floor(endBytes / block) * block, wholeStart);
    this.#complete(offsetBytes, bytes.subarray(0, wholeStart - offsetBytes));
    this.#program(wholeStart, bytes.subarray(wholeStart - offsetBytes, wholeEnd - offsetBytes));
    this.#complete(wholeEnd, bytes.subarray(wholeEnd - offsetBytes));
    this.#writtenBytes += bytes.length;
  }

  /** Writes what `append` still keeps, padded as erased flash reads. Throws `FlashError`. */
  finish(): void {
    if (this.#tailBytes === 0) return;
    this.#tail.fill(0xff, this.#tailBytes);
    this.#program(this.#writtenBytes - this.#tailBytes, this.#tail);
    this.#tailBytes = 0;
  }

  /** Keeps less than a block; writes it once it is one. */
  #keep(bytes: Uint8Array): void {
    this.#tail.set(bytes, this.#tailBytes);
    this.#tailBytes += bytes.length;
    this.#writtenBytes += bytes.length;
    if (this.#tailBytes < this.#tail.length) return;
    this.#program(this.#writtenBytes - this.#tailBytes, this.#tail);
    this.#tailBytes = 0;
  }

  /** Writes part of one block: what it holds already is programmed again as it is. */
  #complete(offsetBytes: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    const blockBytes = this.#tail.length;
    if (blockBytes > sharedBlockBytesMax)
      throw new FlashError(
        `${bytes.length} bytes at ${offsetBytes} are not whole ${blockBytes}-byte blocks, which this flash takes only once`,
      );
    const start = Math.floor(offsetBytes / blockBytes) * blockBytes;
    this.#prepare(start, blockBytes);
    const block = new Uint8Array(blockBytes);
    this.#slot.read(start, block);
    block.set(bytes, offsetBytes - start);
    this.#slot.write(start, block);
  }

  #program(offsetBytes: number, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#prepare(offsetBytes, bytes.length);
    this.#slot.write(offsetBytes, bytes);
  }

  #prepare(offsetBytes: number, lengthBytes: number): void {
    const { sizeBytes } = this.#slot;
    this.#prepareRange(sizeBytes - this.#trailerBytes, sizeBytes);
    this.#prepareRange(offsetBytes, offsetBytes + lengthBytes);
  }

  #prepareRange(startBytes: number, endBytes: number): void {
    const { sectorBytes } = this.#slot;
    // From the end, where the trailer's magic is.
    const first = Math.floor(startBytes / sectorBytes);
    for (let sector = Math.ceil(endBytes / sectorBytes) - 1; sector >= first; sector -= 1) {
      const bit = 1 << (sector % 8);
      const index = sector >> 3;
      if ((this.#ready[index]! & bit) !== 0) continue;
      eraseUnlessBlank(this.#slot, sector * sectorBytes, this.#look);
      this.#ready[index]! |= bit;
    }
  }
}
