import { type DeviceLayout, slotExtent } from "./layout.ts";
import { type FlashMiB, flashMiBs, partitionTable } from "./partitions.ts";

/** Slots are the same on every ESP32, so the flash size names the layout. */
export type LayoutName = `esp32-${FlashMiB}m`;

export const layoutNames = flashMiBs.map((size): LayoutName => `esp32-${size}m`);

/**
 * The flash layout of our boards with that much flash. The bootloader lies where the ROM of every
 * chip but the original ESP32 looks for it; that one's begins 4 KiB later.
 */
export function boardLayout(flashMiB: FlashMiB): DeviceLayout {
  const table = partitionTable({ soc: "esp32c3", flashMiB });
  return {
    flashBytes: flashMiB * 1024 * 1024,
    primary: slotExtent(table.slot0),
    secondary: slotExtent(table.slot1),
    scratch: null,
    storage: table.storage,
    bootctl: table.bootctl,
    boot: table.boot,
  };
}

export function deviceLayout(name: LayoutName): DeviceLayout {
  const flashMiB = flashMiBs.find((size) => name === `esp32-${size}m`);
  if (flashMiB === undefined) throw new RangeError(`no board has the layout ${name}`);
  return boardLayout(flashMiB);
}
