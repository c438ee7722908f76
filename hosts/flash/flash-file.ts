import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { WriteBlockBytes } from "./geometry.ts";
import { NorFlash } from "./nor-flash.ts";

/** Loads a raw chip image (every byte of the chip, nothing else), the form that esptool and QEMU use. */
export function readFlashFile(path: string, writeBlockBytes: WriteBlockBytes = 4): NorFlash {
  return NorFlash.fromBytes(readFileSync(path), writeBlockBytes);
}

/** Stores the chip as a raw image; the file is replaced whole or not at all. */
export function writeFlashFile(path: string, flash: NorFlash): void {
  const partial = `${path}.partial`;
  writeFileSync(partial, flash.toBytes());
  renameSync(partial, path);
}
