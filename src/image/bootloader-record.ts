/**
 * What a bootloader says about itself, as a constant in its own flash partition:
 * bootloader/hook/record.c, where each field has its macro. Little-endian, 56 bytes.
 */
export interface BootloaderRecord {
  readonly mode: BootloaderMode;
  /** What an image has to be signed with. */
  readonly signature: BootloaderSignature;
  /** `BOOT_MAX_ALIGN`. */
  readonly maxAlignBytes: number;
  readonly writeBlockBytes: number;
  readonly sectorBytes: number;
  /** `BOOT_MAX_IMG_SECTORS`. */
  readonly imageSectorsMax: number;
  readonly primary: RecordedSlot;
  readonly secondary: RecordedSlot;
  /** Boots of an unconfirmed image before it is reverted; 1 without our hook. */
  readonly trialBoots: number;
  /** What the watchdog waits that it leaves running; 0 without one. */
  readonly watchdogMs: number;
  /** Whether the primary slot is validated at every boot. */
  readonly validatesPrimary: boolean;
  readonly downgradePrevention: DowngradePrevention;
}

/** Bytes of the flash. */
export interface RecordedSlot {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** In the order of their numbers in the record. */
const modes = [
  "other",
  "overwrite-only",
  "swap-using-move",
  "swap-using-offset",
  "swap-using-scratch",
] as const;
export type BootloaderMode = (typeof modes)[number];

const signatures = ["none", "rsa", "ecdsa-p256", "ed25519"] as const;
export type BootloaderSignature = (typeof signatures)[number];

const preventions = ["none", "version", "security-counter"] as const;
export type DowngradePrevention = (typeof preventions)[number];

export const bootloaderRecordBytes = 56;
/** The record begins with it. */
export const bootloaderRecordMagic = "Sluice: MCUboot ";
const format = 1;
const endMark = 0x5ec0de0f;
const validatesPrimaryFlag = 1;

/** `struct record`. Offset of each field from its start. */
const at = {
  format: 16,
  bytes: 17,
  mode: 18,
  signature: 19,
  maxAlign: 20,
  writeBlock: 21,
  trialBoots: 22,
  checks: 23,
  watchdogMs: 24,
  sectorsMax: 28,
  sectorBytes: 32,
  primary: 36,
  secondary: 44,
  end: 52,
} as const;

export function encodeBootloaderRecord(record: BootloaderRecord): Uint8Array {
  const bytes = new Uint8Array(bootloaderRecordBytes);
  const view = new DataView(bytes.buffer);
  for (let index = 0; index < bootloaderRecordMagic.length; index += 1)
    bytes[index] = bootloaderRecordMagic.charCodeAt(index);
  bytes[at.format] = format;
  bytes[at.bytes] = bootloaderRecordBytes;
  bytes[at.mode] = modes.indexOf(record.mode);
  bytes[at.signature] = signatures.indexOf(record.signature);
  bytes[at.maxAlign] = record.maxAlignBytes;
  bytes[at.writeBlock] = record.writeBlockBytes;
  bytes[at.trialBoots] = record.trialBoots;
  bytes[at.checks] =
    (record.validatesPrimary ? validatesPrimaryFlag : 0) |
    (preventions.indexOf(record.downgradePrevention) << 1);
  view.setUint32(at.watchdogMs, record.watchdogMs, true);
  view.setUint32(at.sectorsMax, record.imageSectorsMax, true);
  view.setUint32(at.sectorBytes, record.sectorBytes, true);
  for (const slot of ["primary", "secondary"] as const) {
    view.setUint32(at[slot], record[slot].offsetBytes, true);
    view.setUint32(at[slot] + 4, record[slot].sizeBytes, true);
  }
  view.setUint32(at.end, endMark, true);
  return bytes;
}

/** Whether these bytes begin as a record does. */
export function isBootloaderRecord(bytes: Uint8Array, offset: number): boolean {
  if (offset + bootloaderRecordMagic.length > bytes.length) return false;
  for (let index = 0; index < bootloaderRecordMagic.length; index += 1)
    if (bytes[offset + index] !== bootloaderRecordMagic.charCodeAt(index)) return false;
  return true;
}

/** Null for anything but a whole record of this format. */
export function parseBootloaderRecord(bytes: Uint8Array): BootloaderRecord | null {
  if (bytes.length !== bootloaderRecordBytes || !isBootloaderRecord(bytes, 0)) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const u8 = (offset: number): number => view.getUint8(offset);
  const u32 = (offset: number): number => view.getUint32(offset, true);
  if (u8(at.format) !== format || u8(at.bytes) !== bootloaderRecordBytes) return null;
  const mode = modes[u8(at.mode)];
  const signature = signatures[u8(at.signature)];
  const checks = u8(at.checks);
  const downgradePrevention = preventions[checks >> 1];
  if (mode === undefined || signature === undefined || downgradePrevention === undefined)
    return null;
  if (u32(at.end) !== endMark) return null;
  const slot = (offset: number): RecordedSlot => ({
    offsetBytes: u32(offset),
    sizeBytes: u32(offset + 4),
  });
  return {
    mode,
    signature,
    maxAlignBytes: u8(at.maxAlign),
    writeBlockBytes: u8(at.writeBlock),
    sectorBytes: u32(at.sectorBytes),
    imageSectorsMax: u32(at.sectorsMax),
    primary: slot(at.primary),
    secondary: slot(at.secondary),
    trialBoots: u8(at.trialBoots),
    watchdogMs: u32(at.watchdogMs),
    validatesPrimary: (checks & validatesPrimaryFlag) !== 0,
    downgradePrevention,
  };
}
