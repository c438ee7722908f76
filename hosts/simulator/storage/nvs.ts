import { StorageError } from "../../../src/ports/board.ts";
import type { FlashArea } from "../../../src/ports/flash.ts";
import {
  alignUp,
  closeSlot,
  encodeEntry,
  entryBytes,
  entryFields,
  firstSlot,
  type NvsEntry,
  type PlacedEntry,
  type SectorScan,
  type SectorShape,
  scanSector,
  sectorShape,
  systemId,
} from "./nvs-sector.ts";

const writeBlockBytesMax = 32; // NVS_BLOCK_SIZE
const sectorsMin = 2;
/**
 * Data, close entry, end of a garbage collection, and one entry so that something can always be
 * deleted.
 */
const slotsReserved = 4;

/**
 * Values under 16-bit ids, in the on-flash format of Zephyr's NVS without data CRC, so that a board
 * reads what was written here and the reverse. Sectors are used in a circle: entries are appended
 * to one, the one after it is erased, and before that is filled the oldest sector's live entries
 * are moved on. A value is there once its entry is written: a power cut leaves the old value or the
 * new one. Any error from the flash makes the object unusable: mount again.
 */
export class Nvs {
  readonly #area: FlashArea;
  readonly #sectors: number;
  readonly #shape: SectorShape;
  /**
   * Where in the area the entry of each id stands, as in Zephyr's lookup cache: the rest is read.
   */
  readonly #live = new Map<number, number>();
  #sector = 0;
  #slot = 0;
  #data = 0;
  #failed = false;

  /**
   * Mounts an area, finishing or undoing what a power cut interrupted; erased flash becomes an
   * empty storage. Throws `StorageError` when the area is too small or holds something else.
   */
  constructor(area: FlashArea) {
    this.#area = area;
    this.#sectors = Math.floor(area.sizeBytes / area.sectorBytes);
    this.#shape = sectorShape(area.sectorBytes, area.writeBlockBytes);
    if (this.#sectors < sectorsMin || area.writeBlockBytes > writeBlockBytesMax)
      throw new StorageError(
        `storage of ${this.#sectors} sectors with ${area.writeBlockBytes}-byte writes: needs at least ${sectorsMin} sectors and at most ${writeBlockBytesMax} bytes`,
      );
    this.#mount();
  }

  /** Largest value in bytes. */
  get valueBytesMax(): number {
    return this.#shape.sectorBytes - slotsReserved * this.#shape.slotBytes;
  }

  has(id: number): boolean {
    return this.#live.has(id);
  }

  read(id: number): Uint8Array | null {
    const place = this.#live.get(id);
    if (place === undefined) return null;
    const entry = new Uint8Array(entryBytes);
    this.#area.read(place, entry);
    const { offsetBytes, lengthBytes } = entryFields(entry, 0);
    const value = new Uint8Array(lengthBytes);
    this.#area.read(place - (place % this.#shape.sectorBytes) + offsetBytes, value);
    return value;
  }

  /** Stores a value of 1 to `valueBytesMax` bytes; one that stands there already costs no write. */
  write(id: number, value: Uint8Array): void {
    if (value.length === 0 || value.length > this.valueBytesMax)
      throw new StorageError(
        `a value of ${value.length} bytes, must be 1 to ${this.valueBytesMax}`,
      );
    const standing = this.read(id);
    if (standing?.length === value.length && standing.every((byte, i) => byte === value[i])) return;
    this.#change(() => this.#append(id, value));
  }

  delete(id: number): void {
    if (this.#live.has(id)) this.#change(() => this.#append(id, new Uint8Array(0)));
  }

  #change(act: () => void): void {
    if (this.#failed) throw new StorageError("the storage failed before: mount it again");
    this.#failed = true;
    try {
      act();
      this.#failed = false;
    } catch (error) {
      if (error instanceof StorageError) this.#failed = false; // refused before or after whole steps
      throw error;
    }
  }

  #append(id: number, value: Uint8Array): void {
    const dataBytes = alignUp(value.length, this.#area.writeBlockBytes);
    // A deletion may take the last slot of a sector, which is why a value must leave one.
    const neededBytes = dataBytes === 0 ? 0 : dataBytes + this.#shape.slotBytes;
    for (let collected = 0; collected <= this.#sectors; collected += 1) {
      if (this.#slot > 0 && this.#slot >= this.#data + neededBytes) {
        this.#place(id, value);
        return;
      }
      if (collected < this.#sectors) this.#advance();
    }
    throw new StorageError(
      `${value.length} bytes do not fit: the storage of ${this.#sectors} sectors of ${this.#shape.sectorBytes} bytes is full; delete a key`,
    );
  }

  /** Writes data, then the entry that makes it count. */
  #place(id: number, value: Uint8Array): void {
    const entry: NvsEntry = { id, offsetBytes: this.#data, lengthBytes: value.length };
    if (value.length > 0) {
      const padded = new Uint8Array(alignUp(value.length, this.#area.writeBlockBytes)).fill(0xff);
      padded.set(value);
      this.#area.write(this.#address(this.#sector, this.#data), padded);
      this.#data += padded.length;
    }
    const slotOffset = this.#slot;
    this.#writeEntry(slotOffset, entry);
    this.#slot -= this.#shape.slotBytes;
    this.#note(this.#sector, { ...entry, slotOffset });
  }

  /**
   * Closes the sector, moves on to the erased one after it, and makes the one after that the erased
   * one.
   */
  #advance(): void {
    const newest = this.#slot + this.#shape.slotBytes;
    const close = { id: systemId, offsetBytes: newest, lengthBytes: 0 };
    this.#writeEntry(closeSlot(this.#shape), close);
    this.#start(this.#after(this.#sector));
    this.#collect();
  }

  /**
   * Moves the live entries of the oldest sector to the current one, marks that, and erases the
   * oldest.
   */
  #collect(): void {
    const oldest = this.#after(this.#sector);
    const scan = this.#scan(oldest);
    if (scan.isClosed)
      for (const entry of scan.entries.toReversed()) this.#moveIfLive(oldest, entry);
    this.#markCollected();
    if (!scan.isBlank) this.#erase(oldest);
  }

  #moveIfLive(sector: number, entry: PlacedEntry): void {
    if (this.#live.get(entry.id) !== this.#address(sector, entry.slotOffset)) return;
    const value = this.read(entry.id);
    if (value !== null) this.#place(entry.id, value);
  }

  /** Without room for the mark a mount collects again, which ends the same. */
  #markCollected(): void {
    if (this.#slot < this.#data + this.#shape.slotBytes) return;
    this.#writeEntry(this.#slot, { id: systemId, offsetBytes: this.#data, lengthBytes: 0 });
    this.#slot -= this.#shape.slotBytes;
  }

  #mount(): void {
    const scans = Array.from({ length: this.#sectors }, (_, sector) => this.#scan(sector));
    const current = this.#findCurrent(scans);
    const scan = scans[current]!;
    const next = this.#after(current);
    const isCollected = scan.entries.some((entry) => entry.id === systemId);
    const mustCollect = !scans[next]!.isBlank && !isCollected;
    const isGarbage = scan.freeSlotOffset === firstSlot(this.#shape) && !scan.isBlank;
    if (mustCollect || isGarbage) {
      if (!scan.isBlank) this.#erase(current);
      this.#start(current);
    } else {
      this.#sector = current;
      this.#slot = scan.freeSlotOffset;
      this.#data = scan.freeDataOffset;
    }
    // Oldest first: the sector after the erased one, round to the current one.
    for (let step = 1; step <= this.#sectors; step += 1) {
      const sector = (current + step) % this.#sectors;
      const isRead = sector === current ? !mustCollect : scans[sector]!.isClosed;
      if (isRead && !(sector === next && isCollected))
        for (const entry of scans[sector]!.entries) this.#note(sector, entry);
    }
    if (mustCollect) this.#collect();
    else if (!scans[next]!.isBlank) this.#erase(next);
    if (this.#slot === firstSlot(this.#shape)) this.#markCollected();
  }

  /** The sector to write to: an open one after a closed one. */
  #findCurrent(scans: readonly SectorScan[]): number {
    for (let sector = 0; sector < scans.length; sector += 1) {
      const next = this.#after(sector);
      if (scans[sector]!.isClosed && !scans[next]!.isClosed) return next;
    }
    if (scans[0]!.isClosed)
      throw new StorageError(
        `all ${scans.length} sectors are closed: this is no storage, or it is damaged; erase it to start empty`,
      );
    // None was ever closed, or the other of two was being erased when the power failed.
    const last = scans.length - 1;
    return scans[last]!.freeSlotOffset === firstSlot(this.#shape) ? 0 : last;
  }

  #note(sector: number, entry: PlacedEntry): void {
    if (entry.id === systemId) return;
    if (entry.lengthBytes === 0) this.#live.delete(entry.id);
    else this.#live.set(entry.id, this.#address(sector, entry.slotOffset));
  }

  #start(sector: number): void {
    this.#sector = sector;
    this.#slot = firstSlot(this.#shape);
    this.#data = 0;
  }

  #scan(sector: number): SectorScan {
    const bytes = new Uint8Array(this.#shape.sectorBytes);
    this.#area.read(this.#address(sector, 0), bytes);
    return scanSector(bytes, this.#shape, this.#area.writeBlockBytes);
  }

  #writeEntry(slotOffset: number, entry: NvsEntry): void {
    this.#area.write(this.#address(this.#sector, slotOffset), encodeEntry(entry, this.#shape));
  }

  #erase(sector: number): void {
    this.#area.erase(this.#address(sector, 0), this.#shape.sectorBytes);
  }

  #after(sector: number): number {
    return (sector + 1) % this.#sectors;
  }

  #address(sector: number, offsetBytes: number): number {
    return sector * this.#shape.sectorBytes + offsetBytes;
  }
}
