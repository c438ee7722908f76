import type { BootloaderRecord } from "../../src/image/bootloader-record.ts";

/** What the bootloader of a board with 4 MiB of flash says of itself. */
export const boardBootloader: BootloaderRecord = {
  mode: "swap-using-move",
  signature: "ecdsa-p256",
  maxAlignBytes: 8,
  writeBlockBytes: 4,
  sectorBytes: 4096,
  imageSectorsMax: 448,
  primary: { offsetBytes: 0x20000, sizeBytes: 0x1c0000 },
  secondary: { offsetBytes: 0x1e0000, sizeBytes: 0x1c0000 },
  trialBoots: 3,
  watchdogMs: 60_000,
  validatesPrimary: true,
  downgradePrevention: "security-counter",
};
