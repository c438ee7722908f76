// Where everything lies in flash: the one table from which overlays, the slot map and the
// simulator's layouts come. Offsets are upstream Zephyr's
// (dts/vendor/espressif/partitions_*_default_*.dtsi); `bootctl` is ours.

import type { Extent } from "./layout.ts";

/** First-class systems on chip first. */
export const socs = ["esp32c6", "esp32c3", "esp32s3", "esp32"] as const;
export type Soc = (typeof socs)[number];

export const flashMiBs = [4, 8, 16] as const;
export type FlashMiB = (typeof flashMiBs)[number];

/** Smallest aligned write (`write-block-size` of `flash0`) while flash encryption is off. */
export const writeBlockBytes = 4;

export const partitionNames = [
  "boot",
  "sys",
  "slot0",
  "slot1",
  "slot0_lpcore",
  "slot1_lpcore",
  "storage",
  "bootctl",
  "coredump",
] as const;
export type PartitionName = (typeof partitionNames)[number];

export type PartitionTable = Readonly<Record<PartitionName, Extent>>;

/** What each partition holds, in the words of the slot map. */
export const partitionPurposes: Readonly<Record<PartitionName, string>> = {
  boot: "MCUboot",
  sys: "left to the chip vendor's tools",
  slot0: "the image that runs (primary slot)",
  slot1: "the image that arrives, afterwards the one to go back to (secondary slot)",
  slot0_lpcore: "program of the low-power core",
  slot1_lpcore: "its next version",
  storage: "key-value data: the update journal, configuration",
  bootctl: "trial boots, counted by the bootloader hook",
  coredump: "the last crash",
};

/**
 * Upstream keeps an image scratch of 124 KiB after `storage`. Swap using move needs none: its first
 * sector is
 * `bootctl`, the 120 KiB that follow stay free.
 */
const tables: Readonly<Record<FlashMiB, PartitionTable>> = {
  4: {
    boot: { offsetBytes: 0x000000, sizeBytes: 0x010000 },
    sys: { offsetBytes: 0x010000, sizeBytes: 0x010000 },
    slot0: { offsetBytes: 0x020000, sizeBytes: 0x1c0000 },
    slot1: { offsetBytes: 0x1e0000, sizeBytes: 0x1c0000 },
    slot0_lpcore: { offsetBytes: 0x3a0000, sizeBytes: 0x008000 },
    slot1_lpcore: { offsetBytes: 0x3a8000, sizeBytes: 0x008000 },
    storage: { offsetBytes: 0x3b0000, sizeBytes: 0x030000 },
    bootctl: { offsetBytes: 0x3e0000, sizeBytes: 0x001000 },
    coredump: { offsetBytes: 0x3ff000, sizeBytes: 0x001000 },
  },
  8: {
    boot: { offsetBytes: 0x000000, sizeBytes: 0x010000 },
    sys: { offsetBytes: 0x010000, sizeBytes: 0x010000 },
    slot0: { offsetBytes: 0x020000, sizeBytes: 0x3c0000 },
    slot1: { offsetBytes: 0x3e0000, sizeBytes: 0x3c0000 },
    slot0_lpcore: { offsetBytes: 0x7a0000, sizeBytes: 0x008000 },
    slot1_lpcore: { offsetBytes: 0x7a8000, sizeBytes: 0x008000 },
    storage: { offsetBytes: 0x7b0000, sizeBytes: 0x030000 },
    bootctl: { offsetBytes: 0x7e0000, sizeBytes: 0x001000 },
    coredump: { offsetBytes: 0x7ff000, sizeBytes: 0x001000 },
  },
  16: {
    boot: { offsetBytes: 0x000000, sizeBytes: 0x010000 },
    sys: { offsetBytes: 0x010000, sizeBytes: 0x010000 },
    slot0: { offsetBytes: 0x020000, sizeBytes: 0x7c0000 },
    slot1: { offsetBytes: 0x7e0000, sizeBytes: 0x7c0000 },
    slot0_lpcore: { offsetBytes: 0xfa0000, sizeBytes: 0x008000 },
    slot1_lpcore: { offsetBytes: 0xfa8000, sizeBytes: 0x008000 },
    storage: { offsetBytes: 0xfb0000, sizeBytes: 0x030000 },
    bootctl: { offsetBytes: 0xfe0000, sizeBytes: 0x001000 },
    coredump: { offsetBytes: 0xfff000, sizeBytes: 0x001000 },
  },
};

/** The ROM of the original ESP32 starts the bootloader at 0x1000, that of every later chip at 0. */
const esp32Boot: Extent = { offsetBytes: 0x001000, sizeBytes: 0x00f000 };

/**
 * The table of a chip with that much flash. Slots, storage and `bootctl` depend on the flash size
 * only.
 */
export function partitionTable(choice: { soc: Soc; flashMiB: FlashMiB }): PartitionTable {
  const table = tables[choice.flashMiB];
  return choice.soc === "esp32" ? { ...table, boot: esp32Boot } : table;
}
