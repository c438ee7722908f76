import { readFileSync } from "node:fs";
import { replaceFile } from "../files/replace-file.ts";
import type { WriteBlockBytes } from "./geometry.ts";
import { NorFlash } from "./nor-flash.ts";

/**
 * Loads a raw chip image (every byte of the chip, nothing else), the form that esptool and QEMU
 * use.
 */
export function readFlashFile(path: string, writeBlockBytes: WriteBlockBytes = 4): NorFlash {
  return NorFlash.fromBytes(readFileSync(path), writeBlockBytes);
}

/**
 * Stores the chip as a raw image; the file is replaced whole or not at all. It is its owner's alone
 * where it is new: an enrolled device has its token in it.
 */
export function writeFlashFile(path: string, flash: NorFlash): void {
  replaceFile(path, flash.toBytes(), 0o600);
}
