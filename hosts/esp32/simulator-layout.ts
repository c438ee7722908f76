import {
  type Extent,
  type FlashMiB,
  flashMiBs,
  partitionTable,
  sectorBytes,
  socs,
} from "./partitions.ts";

/** A slot as recorded vectors describe it: `sectors` = `size` / `sector_size`. */
export interface LayoutSlot extends Extent {
  readonly sectors: number;
}

/** One flash layout in the shape of an entry of `layouts` in a vectors.json, plus what is ours. */
export interface SimulatorLayout {
  readonly flash_size: number;
  readonly sector_size: number;
  readonly primary: LayoutSlot;
  readonly secondary: LayoutSlot;
  readonly storage: Extent;
  readonly bootctl: Extent;
  /** The original ESP32's begins 4 KiB later. */
  readonly boot: Extent;
}

/** `esp32-4m`, `esp32-8m`, `esp32-16m`: slots are the same on every ESP32, so the flash size names the layout. */
export type LayoutName = `esp32-${FlashMiB}m`;

export function simulatorLayout(flashMiB: FlashMiB): SimulatorLayout {
  const table = partitionTable({ soc: socs[0], flashMiB });
  return {
    flash_size: flashMiB * 1024 * 1024,
    sector_size: sectorBytes,
    primary: slot(table.slot0),
    secondary: slot(table.slot1),
    storage: table.storage,
    bootctl: table.bootctl,
    boot: table.boot,
  };
}

export function simulatorLayouts(): Readonly<Record<LayoutName, SimulatorLayout>> {
  const entries = flashMiBs.map((size) => [`esp32-${size}m`, simulatorLayout(size)] as const);
  return Object.fromEntries(entries) as Record<LayoutName, SimulatorLayout>;
}

function slot(extent: Extent): LayoutSlot {
  return { ...extent, sectors: extent.size / sectorBytes };
}
