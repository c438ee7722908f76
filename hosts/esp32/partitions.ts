// Where everything lies in flash: the one table from which overlays, the slot map and the simulator's layouts come.
// Offsets are upstream Zephyr's (dts/vendor/espressif/partitions_*_default_*.dtsi); `bootctl` is ours.

/** First-class systems on chip first. */
export const socs = ["esp32c6", "esp32c3", "esp32s3", "esp32"] as const;
export type Soc = (typeof socs)[number];

export const flashMiBs = [4, 8, 16] as const;
export type FlashMiB = (typeof flashMiBs)[number];

/** Erase unit of the flash, the same on every ESP32. */
export const sectorBytes = 4096;
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

/** A range of flash in bytes from its start. */
export interface Extent {
  readonly offset: number;
  readonly size: number;
}

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
 * Upstream keeps an image scratch of 124 KiB after `storage`. Swap using move needs none: its first sector is
 * `bootctl`, the 120 KiB that follow stay free.
 */
const tables: Readonly<Record<FlashMiB, PartitionTable>> = {
  4: {
    boot: { offset: 0x000000, size: 0x010000 },
    sys: { offset: 0x010000, size: 0x010000 },
    slot0: { offset: 0x020000, size: 0x1c0000 },
    slot1: { offset: 0x1e0000, size: 0x1c0000 },
    slot0_lpcore: { offset: 0x3a0000, size: 0x008000 },
    slot1_lpcore: { offset: 0x3a8000, size: 0x008000 },
    storage: { offset: 0x3b0000, size: 0x030000 },
    bootctl: { offset: 0x3e0000, size: 0x001000 },
    coredump: { offset: 0x3ff000, size: 0x001000 },
  },
  8: {
    boot: { offset: 0x000000, size: 0x010000 },
    sys: { offset: 0x010000, size: 0x010000 },
    slot0: { offset: 0x020000, size: 0x3c0000 },
    slot1: { offset: 0x3e0000, size: 0x3c0000 },
    slot0_lpcore: { offset: 0x7a0000, size: 0x008000 },
    slot1_lpcore: { offset: 0x7a8000, size: 0x008000 },
    storage: { offset: 0x7b0000, size: 0x030000 },
    bootctl: { offset: 0x7e0000, size: 0x001000 },
    coredump: { offset: 0x7ff000, size: 0x001000 },
  },
  16: {
    boot: { offset: 0x000000, size: 0x010000 },
    sys: { offset: 0x010000, size: 0x010000 },
    slot0: { offset: 0x020000, size: 0x7c0000 },
    slot1: { offset: 0x7e0000, size: 0x7c0000 },
    slot0_lpcore: { offset: 0xfa0000, size: 0x008000 },
    slot1_lpcore: { offset: 0xfa8000, size: 0x008000 },
    storage: { offset: 0xfb0000, size: 0x030000 },
    bootctl: { offset: 0xfe0000, size: 0x001000 },
    coredump: { offset: 0xfff000, size: 0x001000 },
  },
};

/** The ROM of the original ESP32 starts the bootloader at 0x1000, that of every later chip at 0. */
const esp32Boot: Extent = { offset: 0x001000, size: 0x00f000 };

/** The table of a chip with that much flash. Slots, storage and `bootctl` depend on the flash size only. */
export function partitionTable(choice: { soc: Soc; flashMiB: FlashMiB }): PartitionTable {
  const table = tables[choice.flashMiB];
  return choice.soc === "esp32" ? { ...table, boot: esp32Boot } : table;
}
