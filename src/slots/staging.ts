import type { FlashArea } from "../ports/flash.ts";

/**
 * An image on its way into the secondary slot. Sectors are written in order, each at once, so that the slot itself
 * tells after a power cut how far the download came: the last sector that is not blank is the only one that may be torn.
 *
 *   | whole | whole | ... | whole | torn? | blank ... blank | trailer sectors: blank |
 */
export class StagingSlot {
  readonly #area: FlashArea;
  readonly #imageBytes: number;
  readonly #sector: Uint8Array;
  #durableBytes = 0;
  #bufferedBytes = 0;

  readonly #trailerSectors: number;

  constructor(area: FlashArea, imageBytes: number, trailerBytes: number) {
    this.#area = area;
    this.#imageBytes = imageBytes;
    this.#trailerSectors = Math.ceil(trailerBytes / area.sectorBytes);
    this.#sector = new Uint8Array(area.sectorBytes);
  }

  /** How often `prepareSector` must be called: for the trailer and for every sector that the image reaches. */
  get prepareSteps(): number {
    return this.#trailerSectors + Math.ceil(this.#imageBytes / this.#area.sectorBytes);
  }

  /** Bytes accepted so far, in flash or in the buffer of one sector. */
  get receivedBytes(): number {
    return this.#durableBytes + this.#bufferedBytes;
  }

  /**
   * Makes one sector blank, erasing only what is not. The trailer goes first: with it gone no power cut can make the
   * bootloader look at a half-erased image. Sectors that neither hold are left as they are.
   */
  prepareSector(step: number): void {
    const { sizeBytes, sectorBytes } = this.#area;
    const offsetBytes =
      step < this.#trailerSectors
        ? sizeBytes - (step + 1) * sectorBytes
        : (step - this.#trailerSectors) * sectorBytes;
    if (!this.#isBlank(offsetBytes)) this.#area.erase(offsetBytes, sectorBytes);
  }

  /**
   * Finds how much of the image a prepared slot holds and erases the sector that may be torn.
   * A power cut during that erase leaves a shorter prefix, which the next call finds.
   */
  resume(): void {
    const { sectorBytes } = this.#area;
    let sector = Math.ceil(this.#imageBytes / sectorBytes);
    while (sector > 0 && this.#isBlank((sector - 1) * sectorBytes)) sector -= 1;
    this.#bufferedBytes = 0;
    this.#durableBytes = Math.max(0, sector - 1) * sectorBytes;
    if (sector > 0) this.#area.erase(this.#durableBytes, sectorBytes);
  }

  /** Takes the next bytes of the image; answers false for more bytes than the image has. Throws `FlashError`. */
  append(bytes: Uint8Array): boolean {
    if (this.receivedBytes + bytes.length > this.#imageBytes) return false;
    let taken = 0;
    while (taken < bytes.length) {
      const count = Math.min(bytes.length - taken, this.#sector.length - this.#bufferedBytes);
      this.#sector.set(bytes.subarray(taken, taken + count), this.#bufferedBytes);
      this.#bufferedBytes += count;
      taken += count;
      if (this.#bufferedBytes === this.#sector.length || this.receivedBytes === this.#imageBytes)
        this.#flush();
    }
    return true;
  }

  /** Copies durable bytes back, for the hash after a resume. */
  read(offsetBytes: number, into: Uint8Array): void {
    this.#area.read(offsetBytes, into);
  }

  #flush(): void {
    const block = this.#area.writeBlockBytes;
    const bytes = Math.ceil(this.#bufferedBytes / block) * block;
    this.#sector.fill(0xff, this.#bufferedBytes, bytes);
    this.#area.write(this.#durableBytes, this.#sector.subarray(0, bytes));
    this.#durableBytes += this.#bufferedBytes;
    this.#bufferedBytes = 0;
  }

  #isBlank(offsetBytes: number): boolean {
    this.#area.read(offsetBytes, this.#sector);
    return this.#sector.every((byte) => byte === 0xff);
  }
}
