import assert from "node:assert/strict";
import { NorFlash } from "../../hosts/flash/nor-flash.ts";
import { cutAt, cutKinds, PowerCut } from "../../hosts/flash/operation.ts";
import {
  keyCharactersMax,
  openKeyValue,
  valueBytesMax,
} from "../../hosts/simulator/storage/key-value.ts";
import { openSettings } from "../../hosts/simulator/storage/settings.ts";
import { type KeyValue, StorageError } from "../../src/ports/board.ts";

/** Whether the change at which the power failed was done. */
const cutSides = ["before", "after"] as const;

/**
 * Key-value storage in memory with the limits of the port, which can lose its power and be full.
 */
export class CuttableKeyValue implements KeyValue {
  readonly values = new Map<string, Uint8Array>();
  /** Writes and deletions of something, since it was made. */
  changes = 0;
  /** The change at which the power fails, or null. */
  cut: { readonly change: number; readonly side: (typeof cutSides)[number] } | null = null;
  /** Bytes of keys and values that fit. */
  capacityBytes = Number.POSITIVE_INFINITY;
  /** Answers true to refuse a write, as a full storage does. */
  refuses: (key: string) => boolean = () => false;

  clone(): CuttableKeyValue {
    const copy = new CuttableKeyValue();
    for (const [key, value] of this.values) copy.values.set(key, value);
    copy.capacityBytes = this.capacityBytes;
    return copy;
  }

  get bytes(): number {
    let sum = 0;
    for (const [key, value] of this.values) sum += key.length + value.length;
    return sum;
  }

  read(key: string): Uint8Array | null {
    if (this.cut !== null && this.changes > this.cut.change) throw new PowerCut();
    return this.values.get(key)?.slice() ?? null;
  }

  write(key: string, value: Uint8Array): void {
    assert.ok(key.length >= 1 && key.length <= keyCharactersMax, `the key "${key}"`);
    assert.ok(value.length <= valueBytesMax, `${value.length} bytes under ${key}`);
    const standing = this.values.get(key);
    const grownBytes = value.length - (standing?.length ?? -key.length);
    if (this.bytes + grownBytes > this.capacityBytes || this.refuses(key))
      throw new StorageError("the storage is full");
    this.#change(() => this.values.set(key, value.slice()));
  }

  delete(key: string): void {
    if (this.values.has(key)) this.#change(() => this.values.delete(key));
  }

  #change(change: () => void): void {
    if (this.cut !== null && this.changes > this.cut.change) throw new PowerCut();
    const isCut = this.cut?.change === this.changes;
    this.changes += 1;
    if (!isCut || this.cut?.side === "after") change();
    if (isCut) throw new PowerCut();
  }
}

/** `act` runs to the end; answers the storage then, the one given stays as it is. */
export function afterAct(
  before: CuttableKeyValue,
  act: (keyValue: KeyValue) => void,
): CuttableKeyValue {
  const storage = before.clone();
  act(storage);
  return storage;
}

/** Cuts the power before and after every change of `act`; answers how many cuts there were. */
export function forEachCut(
  before: CuttableKeyValue,
  act: (keyValue: KeyValue) => void,
  check: (storage: CuttableKeyValue, where: string) => void,
): number {
  const { changes } = afterAct(before, act);
  for (let change = 0; change < changes; change += 1)
    for (const side of cutSides) {
      const storage = before.clone();
      storage.cut = { change, side };
      assert.throws(() => act(storage), PowerCut);
      check(storage.clone(), `cut ${side} change ${change} of ${changes}`);
    }
  return changes * cutSides.length;
}

const sectorBytes = 4096;

/** The board's storage: Zephyr's settings on NVS, on flash of 32 KiB unless told. */
export function storageFlash(sectors = 8, writeBlockBytes: 4 | 32 = 4): NorFlash {
  return new NorFlash({ sizeBytes: sectors * sectorBytes, writeBlockBytes });
}

/** Mounts it as a boot does. */
export function mountStorage(flash: NorFlash): KeyValue & { keys(): string[] } {
  return openKeyValue(openSettings(flash.area(0, flash.sizeBytes)), "sluice");
}

/**
 * Cuts the power at every flash operation of `act`, in every kind; answers how many cuts there
 * were.
 */
export function forEachFlashCut(
  before: NorFlash,
  act: (keyValue: KeyValue) => void,
  check: (flash: NorFlash, where: string) => void,
): number {
  const whole = before.clone();
  act(mountStorage(whole));
  const operations = whole.counts.erases + whole.counts.writes;
  for (let index = 0; index < operations; index += 1)
    for (const kind of cutKinds) {
      const flash = before.clone();
      flash.faultHook = cutAt(index, kind);
      assert.throws(() => act(mountStorage(flash)), PowerCut);
      flash.faultHook = null;
      flash.restorePower();
      check(flash, `${kind} cut at flash operation ${index} of ${operations}`);
    }
  return operations * cutKinds.length;
}
