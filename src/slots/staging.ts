import type { FlashArea } from "../ports/flash.ts";
import { eraseUnlessBlank, isBlankSector } from "./blank-sectors.ts";

/** A divisor of every sector; a second buffer of a whole one would be too much memory. */
const compareBytes = 256;

/**
 * An image on its way into the secondary slot. Sectors are written in order, each at once, so that
 * the slot itself tells after a power cut how far the download came: the last sector that is not
 * blank is the only one that may be torn.
 *
 *   | whole | whole | ... | whole | torn? | blank ... blank | trailer sectors: blank |
 */
export class StagingSlot {
  readonly #area: FlashArea;
  readonly #imageBytes: number;
  /** Null until it is wanted. */
  #buffer: Uint8Array | null = null;
  readonly #trailerSectors: number;
  #durableBytes = 0;
  #bufferedBytes = 0;
  /**
   * The offset of the sector that may be torn, or null: it is compared when its bytes came again.
   */
  #suspectOffset: number | null = null;

  constructor(area: FlashArea, imageBytes: number, trailerBytes: number) {
    this.#area = area;
    this.#imageBytes = imageBytes;
    this.#trailerSectors = Math.ceil(trailerBytes / area.sectorBytes);
  }

  get #sector(): Uint8Array {
    this.#buffer ??= new Uint8Array(this.#area.sectorBytes);
    return this.#buffer;
  }

  /**
   * Gives back the memory of a sector that holds nothing: what comes next makes a connection, which
   * needs it.
   */
  release(): void {
    if (this.#bufferedBytes === 0) this.#buffer = null;
  }

  /**
   * How often `prepareSector` must be called: for the trailer and for every sector that the image
   * reaches.
   */
  get prepareSteps(): number {
    return this.#trailerSectors + Math.ceil(this.#imageBytes / this.#area.sectorBytes);
  }

  get rewindBytes(): number {
    return this.#area.sectorBytes;
  }

  /** Bytes accepted so far, in flash or in the buffer of one sector. */
  get receivedBytes(): number {
    return this.#durableBytes + this.#bufferedBytes;
  }

  /**
   * Makes one sector blank, erasing only what is not. The trailer goes first: with it gone no power
   * cut can make the bootloader look at a half-erased image. Sectors that neither hold are left as
   * they are.
   */
  prepareSector(step: number): void {
    const { sizeBytes, sectorBytes } = this.#area;
    const offsetBytes =
      step < this.#trailerSectors
        ? sizeBytes - (step + 1) * sectorBytes
        : (step - this.#trailerSectors) * sectorBytes;
    eraseUnlessBlank(this.#area, offsetBytes, this.#sector);
  }

  /**
   * Finds how much of the image a prepared slot holds. The sector that may be torn stays as it is
   * until its bytes came again, so that a device that resumes many times without a connection loses
   * nothing by it.
   */
  resume(): void {
    const { sectorBytes } = this.#area;
    let sector = Math.ceil(this.#imageBytes / sectorBytes);
    while (sector > 0 && isBlankSector(this.#area, (sector - 1) * sectorBytes, this.#sector))
      sector -= 1;
    this.#bufferedBytes = 0;
    this.#durableBytes = Math.max(0, sector - 1) * sectorBytes;
    this.#suspectOffset = sector > 0 ? this.#durableBytes : null;
  }

  /**
   * Where the sector ends that `resume` left out because it may be torn; null when there is none.
   */
  get suspectEndBytes(): number | null {
    const offset = this.#suspectOffset;
    return offset === null ? null : Math.min(offset + this.#area.sectorBytes, this.#imageBytes);
  }

  /** Counts that sector after all, for whoever found out in another way that it is whole. */
  keepSuspect(): void {
    const endBytes = this.suspectEndBytes;
    if (endBytes === null || this.#bufferedBytes > 0) return;
    this.#durableBytes = endBytes;
    this.#suspectOffset = null;
  }

  /**
   * Takes the next bytes of the image; answers false for more bytes than the image has. Throws
   * `FlashError`.
   */
  append(bytes: Uint8Array): boolean {
    if (this.receivedBytes + bytes.length > this.#imageBytes) return false;
    const sector = this.#sector;
    let taken = 0;
    while (taken < bytes.length) {
      const count = Math.min(bytes.length - taken, sector.length - this.#bufferedBytes);
      sector.set(bytes.subarray(taken, taken + count), this.#bufferedBytes);
      this.#bufferedBytes += count;
      taken += count;
      if (this.#bufferedBytes === sector.length || this.receivedBytes === this.#imageBytes)
        this.#flush();
    }
    return true;
  }

  /**
   * Takes everything from `toBytes` on back, the start of a sector at or before `receivedBytes`:
   * its sectors are blank again. A power cut leaves a shorter prefix, or one torn sector at its
   * end, which `resume` finds.
   */
  rewind(toBytes: number): void {
    const { sectorBytes } = this.#area;
    // The last sector first, so that what stays is always one piece from the start.
    const sectors = Math.ceil((this.#durableBytes - toBytes) / sectorBytes);
    for (let sector = sectors - 1; sector >= 0; sector -= 1)
      this.#area.erase(toBytes + sector * sectorBytes, sectorBytes);
    this.#durableBytes = toBytes;
    this.#bufferedBytes = 0;
    if (this.#suspectOffset !== toBytes) this.#suspectOffset = null;
  }

  /** Copies durable bytes back, for the hash after a resume. */
  read(offsetBytes: number, into: Uint8Array): void {
    this.#area.read(offsetBytes, into);
  }

  #flush(): void {
    const offsetBytes = this.#durableBytes;
    const block = this.#area.writeBlockBytes;
    const bytes = Math.ceil(this.#bufferedBytes / block) * block;
    this.#sector.fill(0xff, this.#bufferedBytes);
    const isSuspect = offsetBytes === this.#suspectOffset;
    const isThere = isSuspect && this.#holdsBuffer(offsetBytes);
    if (isSuspect && !isThere) this.#area.erase(offsetBytes, this.#area.sectorBytes);
    if (!isThere) this.#area.write(offsetBytes, this.#sector.subarray(0, bytes));
    this.#suspectOffset = null;
    this.#durableBytes += this.#bufferedBytes;
    this.#bufferedBytes = 0;
  }

  #holdsBuffer(offsetBytes: number): boolean {
    const sector = this.#sector;
    const part = new Uint8Array(compareBytes);
    for (let done = 0; done < sector.length; done += part.length) {
      this.#area.read(offsetBytes + done, part);
      for (let index = 0; index < part.length; index += 1)
        if (part[index] !== sector[done + index]) return false;
    }
    return true;
  }
}
