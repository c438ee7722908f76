import {
  type BootloaderRecord,
  encodeBootloaderRecord,
} from "../../src/image/bootloader-record.ts";
import { sectorBytes } from "../flash/geometry.ts";
import type { Extent } from "../flash/layout.ts";
import type { BootConfig } from "./config.ts";

/** How long the watchdog waits that the bootloader of a simulated board leaves running. */
export const watchdogMs = 30_000;

/** What the model's bootloader says of itself. */
export function recordOf(config: BootConfig, writeBlockBytes: number): BootloaderRecord {
  const { layout, keys } = config;
  const slot = ({ offsetBytes, sizeBytes }: Extent) => ({ offsetBytes, sizeBytes });
  return {
    mode: config.mode,
    signature: keys[0]?.algorithm ?? "none",
    maxAlignBytes: config.maxAlign,
    writeBlockBytes,
    sectorBytes,
    imageSectorsMax: config.imageSectorsMax,
    primary: slot(layout.primary),
    secondary: slot(layout.secondary),
    trialBoots: config.primaryStateHook === null ? 1 : 3,
    watchdogMs,
    validatesPrimary: config.validatePrimary,
    downgradePrevention: config.downgradePrevention,
  };
}

/**
 * What lies in the bootloader's partition of a simulated chip: a program for the chip's ROM
 * (`esp_image_header_t`) of one segment, which holds the record and no code. The model is what
 * runs.
 */
export function bootloaderProgram(record: BootloaderRecord): Uint8Array {
  const bytes = encodeBootloaderRecord(record);
  const program = new Uint8Array(headerBytes + segmentHeaderBytes + bytes.length);
  program[0] = programMagic;
  program[1] = 1;
  new DataView(program.buffer).setUint32(headerBytes + 4, bytes.length, true);
  program.set(bytes, headerBytes + segmentHeaderBytes);
  return program;
}

const programMagic = 0xe9;
const headerBytes = 24;
const segmentHeaderBytes = 8;
