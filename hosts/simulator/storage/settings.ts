import { StorageError } from "../../../src/ports/board.ts";
import type { FlashArea } from "../../../src/ports/flash.ts";
import { Nvs } from "./nvs.ts";

/** Named values as Zephyr's settings subsystem keeps them on NVS (settings_nvs.c). */
export interface Settings {
  read(key: string): Uint8Array | null;
  /**
   * Throws `StorageError` when the storage is full, or key or value too long; the old value then
   * stands.
   */
  write(key: string, value: Uint8Array): void;
  delete(key: string): void;
  keys(): string[];
}

/**
 * CONFIG_SETTINGS_NVS_SECTOR_COUNT: a larger partition is used up to here only, as on the board.
 */
const settingsSectorsMax = 8;

/** Zephyr takes longer names; ours have a path of one level and a key of at most 32 characters. */
const settingNameCharactersMax = 64;

/**
 * Opens the settings in a flash area, mending what a power cut interrupted. Throws `StorageError`
 * when the area has fewer than 2 sectors or holds something else.
 */
export function openSettings(area: FlashArea): Settings {
  return new NvsSettings(new Nvs(firstSectors(area, settingsSectorsMax)));
}

const nameCountId = 0x8000; // NVS_NAMECNT_ID: holds the largest name id in use
const valueIdOffset = 0x4000; // NVS_NAME_ID_OFFSET: from the id of a name to the id of its value
const nameIdMax = nameCountId + valueIdOffset - 1;

/**
 * A setting is two NVS entries, name and value. A new value of an old name is one write. A new name
 * is there with the write of the name, which comes last, and gone with its deletion, which comes
 * first: a cut never leaves half a setting.
 */
class NvsSettings implements Settings {
  readonly #nvs: Nvs;
  readonly #nameIds = new Map<string, number>();
  #lastNameId: number;

  constructor(nvs: Nvs) {
    this.#nvs = nvs;
    const count = nvs.read(nameCountId);
    this.#lastNameId = count?.length === 2 ? uint16(count) : nameCountId;
    for (let id = nameCountId + 1; id <= Math.min(this.#lastNameId, nameIdMax); id += 1) {
      const name = nvs.read(id);
      if (name !== null && nvs.has(id + valueIdOffset))
        this.#nameIds.set(new TextDecoder().decode(name), id);
    }
  }

  read(key: string): Uint8Array | null {
    const id = this.#nameIds.get(key);
    return id === undefined ? null : this.#nvs.read(id + valueIdOffset);
  }

  write(key: string, value: Uint8Array): void {
    if (key.length === 0 || key.length > settingNameCharactersMax)
      throw new StorageError(
        `the key "${key}" has ${key.length} characters, must have 1 to ${settingNameCharactersMax}`,
      );
    const known = this.#nameIds.get(key);
    if (known !== undefined) this.#nvs.write(known + valueIdOffset, value);
    else this.#create(key, value);
  }

  delete(key: string): void {
    const id = this.#nameIds.get(key);
    if (id === undefined) return;
    this.#nvs.delete(id);
    this.#nameIds.delete(key);
    this.#nvs.delete(id + valueIdOffset);
    if (id === this.#lastNameId) this.#storeLastNameId(id - 1);
  }

  keys(): string[] {
    return [...this.#nameIds.keys()];
  }

  #create(key: string, value: Uint8Array): void {
    const id = this.#freeNameId();
    if (id > this.#lastNameId) this.#storeLastNameId(id);
    this.#nvs.write(id + valueIdOffset, value);
    try {
      this.#nvs.write(id, new TextEncoder().encode(key));
    } catch (error) {
      if (error instanceof StorageError) this.#nvs.delete(id + valueIdOffset);
      throw error;
    }
    this.#nameIds.set(key, id);
  }

  #freeNameId(): number {
    const used = new Set(this.#nameIds.values());
    let id = nameCountId + 1;
    while (used.has(id)) id += 1;
    if (id > nameIdMax)
      throw new StorageError(`all ${valueIdOffset - 1} names are in use; delete a key`);
    return id;
  }

  #storeLastNameId(id: number): void {
    this.#nvs.write(nameCountId, Uint8Array.of(id & 0xff, id >> 8));
    this.#lastNameId = id;
  }
}

function firstSectors(area: FlashArea, sectorsMax: number): FlashArea {
  const sizeBytes = Math.min(area.sizeBytes, sectorsMax * area.sectorBytes);
  return {
    sizeBytes,
    sectorBytes: area.sectorBytes,
    writeBlockBytes: area.writeBlockBytes,
    read: (offsetBytes, into) => area.read(offsetBytes, into),
    write: (offsetBytes, bytes) => area.write(offsetBytes, bytes),
    erase: (offsetBytes, lengthBytes) => area.erase(offsetBytes, lengthBytes),
  };
}

function uint16(bytes: Uint8Array): number {
  return (bytes[0] ?? 0) | ((bytes[1] ?? 0) << 8);
}
