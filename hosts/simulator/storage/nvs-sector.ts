/**
 * One sector of Zephyr's NVS (subsys/fs/nvs, since 4.3 subsys/kvss/nvs), from its start:
 *
 *   first data | second data | ... erased ... | second entry | first entry | close entry
 *
 * Data grows up from offset 0, entries (`struct nvs_ate`) grow down from the last but one slot. The
 * last slot stays erased until the sector is full: the close entry, whose offset is that of the
 * newest entry.
 */
export interface SectorShape {
  readonly sectorBytes: number;
  /** An entry with its padding to write blocks. */
  readonly slotBytes: number;
}

/** `struct nvs_ate`: 8 bytes, little endian. */
export interface NvsEntry {
  /** 0xffff marks a close entry and the end of a garbage collection. */
  readonly id: number;
  /** Where the data starts, from the start of the sector. */
  readonly offsetBytes: number;
  /** The length of the data; 0 deletes the id. */
  readonly lengthBytes: number;
}

/** An entry and the slot in which it stands. */
export interface PlacedEntry extends NvsEntry {
  readonly slotOffset: number;
}

/** What a mount needs to know of one sector. */
export interface SectorScan {
  /** Valid entries, oldest first, without the close entry. */
  readonly entries: readonly PlacedEntry[];
  readonly isClosed: boolean;
  /** True when the whole sector reads 0xff. */
  readonly isBlank: boolean;
  /** The first erased slot below the entries; below 0 when there is none. */
  readonly freeSlotOffset: number;
  /** The first write block behind which everything up to the free slot is erased. */
  readonly freeDataOffset: number;
}

/** sizeof(struct nvs_ate). */
export const entryBytes = 8;
export const systemId = 0xffff;

export function sectorShape(sectorBytes: number, writeBlockBytes: number): SectorShape {
  return { sectorBytes, slotBytes: alignUp(entryBytes, writeBlockBytes) };
}

/** The slot of the close entry, and of the first entry. */
export function closeSlot(shape: SectorShape): number {
  return shape.sectorBytes - shape.slotBytes;
}

export function firstSlot(shape: SectorShape): number {
  return shape.sectorBytes - 2 * shape.slotBytes;
}

/** One slot: the entry, its check byte and erased padding. */
export function encodeEntry(entry: NvsEntry, shape: SectorShape): Uint8Array {
  const slot = new Uint8Array(shape.slotBytes).fill(0xff); // `part` stays 0xff
  const view = new DataView(slot.buffer);
  view.setUint16(0, entry.id, true);
  view.setUint16(2, entry.offsetBytes, true);
  view.setUint16(4, entry.lengthBytes, true);
  slot[7] = crc8(slot.subarray(0, 7));
  return slot;
}

/**
 * The entry in a slot, or null when its check byte is wrong or its data would reach into its own
 * slot.
 */
function decodeEntry(sector: Uint8Array, slotOffset: number): PlacedEntry | null {
  if (crc8(sector.subarray(slotOffset, slotOffset + 7)) !== sector[slotOffset + 7]) return null;
  const entry = entryFields(sector, slotOffset);
  if (entry.offsetBytes + entry.lengthBytes > slotOffset) return null;
  return { ...entry, slotOffset };
}

/** Reads the fields of an entry that was found good. */
export function entryFields(bytes: Uint8Array, slotOffset: number): NvsEntry {
  const view = new DataView(bytes.buffer, bytes.byteOffset + slotOffset, entryBytes);
  return {
    id: view.getUint16(0, true),
    offsetBytes: view.getUint16(2, true),
    lengthBytes: view.getUint16(4, true),
  };
}

/**
 * Reads a sector after any power cut. Entries that a cut left torn are passed over; an erased slot
 * ends them, because they are written without gaps. Data without an entry is passed over by
 * `freeDataOffset`.
 */
export function scanSector(
  sector: Uint8Array,
  shape: SectorShape,
  writeBlockBytes: number,
): SectorScan {
  const entries: PlacedEntry[] = [];
  let slot = firstSlot(shape);
  let dataEnd = 0;
  while (slot >= dataEnd && !isErased(sector, slot, slot + entryBytes)) {
    const entry = decodeEntry(sector, slot);
    if (entry !== null) {
      entries.push(entry);
      dataEnd = alignUp(entry.offsetBytes + entry.lengthBytes, writeBlockBytes);
    }
    slot -= shape.slotBytes;
  }
  const close = closeSlot(shape);
  return {
    entries,
    isClosed: !isErased(sector, close, close + entryBytes),
    isBlank: isErased(sector, 0, sector.length),
    freeSlotOffset: slot,
    freeDataOffset: alignUp(writtenEnd(sector, dataEnd, Math.max(dataEnd, slot)), writeBlockBytes),
  };
}

export function alignUp(value: number, align: number): number {
  return Math.ceil(value / align) * align;
}

/** The end of the last byte in [start, end) that is not erased, or `start`. */
function writtenEnd(sector: Uint8Array, start: number, end: number): number {
  let at = end;
  while (at > start && sector[at - 1] === 0xff) at -= 1;
  return at;
}

function isErased(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if (bytes[at] !== 0xff) return false;
  return true;
}

/** CRC-8-CCITT, polynomial 0x07, first value 0xff. */
function crc8(bytes: Uint8Array): number {
  let crc = 0xff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = ((crc << 1) ^ (crc & 0x80 ? 0x07 : 0)) & 0xff;
  }
  return crc;
}
