import {
  type BootloaderRecord,
  bootloaderRecordBytes,
  bootloaderRecordMagic,
  isBootloaderRecord,
  parseBootloaderRecord,
} from "../image/bootloader-record.ts";
import { type FlashArea, FlashError, type FlashPartitions } from "../ports/flash.ts";

/** The bootloader's partition, which nothing on the device writes. */
export type BootloaderArea = Pick<FlashArea, "sizeBytes" | "read">;

export type BootloaderFinding =
  | { readonly kind: "stated"; readonly record: BootloaderRecord }
  /** The board names no partition to look into. */
  | { readonly kind: "not-told" }
  /**
   * There is a bootloader, and it does not say what it is: an older one of ours, or a foreign one.
   */
  | { readonly kind: "no-record" }
  /** A record of a format that this firmware does not know, or a broken one. */
  | { readonly kind: "malformed" }
  | { readonly kind: "flash-error" };

/** What to do on a board that ships our bootloader when that does not say what it is. */
export type UnknownBootloader = "refuse" | "accept";

export type BootloaderRefusal = {
  readonly reason: "bootloader-mode" | "flash-error";
  readonly message: string;
};

/** What the firmware is built for, as far as a bootloader can differ from it. */
export interface BuiltFor {
  readonly maxAlignBytes: number;
  readonly flash: Pick<FlashPartitions, "slotOffsets"> & {
    readonly primary: Pick<FlashArea, "sizeBytes">;
    readonly secondary: Pick<FlashArea, "sizeBytes" | "sectorBytes" | "writeBlockBytes">;
  };
}

/**
 * Looks for the record of the bootloader, once, in pieces: at most the partition, and no further
 * than the program in it reaches, because behind it may lie the rest of an older and longer one.
 */
export function findBootloader(area: BootloaderArea | undefined): BootloaderFinding {
  if (area === undefined) return { kind: "not-told" };
  try {
    const bytes = findRecord(area, programBytes(area));
    if (bytes === null) return { kind: "no-record" };
    const record = parseBootloaderRecord(bytes);
    return record === null ? { kind: "malformed" } : { kind: "stated", record };
  } catch (error) {
    if (!(error instanceof FlashError)) throw error;
    return { kind: "flash-error" };
  }
}

/**
 * Why no update may be installed under this bootloader, or null: it would write a slot, or read a
 * trailer, otherwise than this firmware does.
 */
export function refusalOf(
  finding: BootloaderFinding,
  unknown: UnknownBootloader,
  built: BuiltFor,
): BootloaderRefusal | null {
  switch (finding.kind) {
    case "stated": {
      const difference = differenceFrom(finding.record, built);
      return difference === null
        ? null
        : { reason: "bootloader-mode", message: `the bootloader ${difference}` };
    }
    case "not-told":
      return null;
    case "flash-error":
      return { reason: "flash-error", message: "the bootloader's partition cannot be read" };
    default:
      return unknown === "accept"
        ? null
        : {
            reason: "bootloader-mode",
            message: `the bootloader does not say how it swaps (${finding.kind}): flash a newer one, or build with unknownBootloader=accept for bootloaders that are known to swap using move`,
          };
  }
}

/** In a line of at most 128 characters, which is what hawkBit takes as an attribute. */
export function describeBootloader(finding: BootloaderFinding): string {
  if (finding.kind !== "stated") return `unknown (${finding.kind})`;
  const { record } = finding;
  const { primary, trialBoots, watchdogMs } = record;
  return [
    record.mode,
    record.signature,
    `align=${record.maxAlignBytes}/${record.writeBlockBytes}`,
    `slot=${primary.sizeBytes}/${record.imageSectorsMax}`,
    `boots=${trialBoots}`,
    `watchdog=${watchdogMs / 1000}`,
    record.validatesPrimary ? "validates" : "trusts-slot0",
    `downgrade=${record.downgradePrevention}`,
  ].join(";");
}

/** In words that go on "the bootloader ..."; null when both agree. */
function differenceFrom(
  record: BootloaderRecord,
  { maxAlignBytes, flash }: BuiltFor,
): string | null {
  const { primary, secondary, slotOffsets } = flash;
  const { sectorBytes, writeBlockBytes } = secondary;
  if (record.mode !== "swap-using-move")
    return `works by ${record.mode}, this firmware by swap-using-move`;
  if (record.signature !== "ecdsa-p256" && record.signature !== "none")
    return `takes images signed with ${record.signature}, this firmware with ecdsa-p256`;
  const sectorsMax = Math.floor(secondary.sizeBytes / sectorBytes);
  const numbers: readonly (readonly [string, number, number])[] = [
    ["aligns trailers to", record.maxAlignBytes, maxAlignBytes],
    ["writes blocks of", record.writeBlockBytes, writeBlockBytes],
    ["erases sectors of", record.sectorBytes, sectorBytes],
    ["counts the sectors of a slot as", record.imageSectorsMax, sectorsMax],
    ["has a primary slot of", record.primary.sizeBytes, primary.sizeBytes],
    ["has a secondary slot of", record.secondary.sizeBytes, secondary.sizeBytes],
    ...(slotOffsets === undefined
      ? []
      : ([
          ["has its primary slot at", record.primary.offsetBytes, slotOffsets.primary],
          ["has its secondary slot at", record.secondary.offsetBytes, slotOffsets.secondary],
        ] as const)),
  ];
  const found = numbers.find(([, theirs, ours]) => theirs !== ours);
  return found === undefined ? null : `${found[0]} ${found[1]}, this firmware ${found[2]}`;
}

/**
 * An image for the chip's ROM: a header of 24 bytes that begins with 0xe9 and the number of
 * segments, then each segment behind its address and its length (`esp_image_header_t`,
 * `esp_image_segment_header_t`).
 */
const programMagic = 0xe9;
const programHeaderBytes = 24;
const segmentHeaderBytes = 8;
const segmentsMax = 16;

/** Up to the end of the last segment; 0 when no program lies there. */
function programBytes(area: BootloaderArea): number {
  const head = new Uint8Array(segmentHeaderBytes);
  area.read(0, head);
  const segments = head[1] ?? 0;
  if (head[0] !== programMagic || segments > segmentsMax) return 0;
  let end = programHeaderBytes;
  for (let segment = 0; segment < segments; segment += 1) {
    if (end + segmentHeaderBytes > area.sizeBytes) return 0;
    area.read(end, head);
    end += segmentHeaderBytes + new DataView(head.buffer).getUint32(4, true);
  }
  return Math.min(end, area.sizeBytes);
}

/** Read at once; pieces overlap by a record, so that none is cut in two. */
const pieceBytes = 1024;
const overlapBytes = 64;

function findRecord(area: BootloaderArea, endBytes: number): Uint8Array | null {
  const piece = new Uint8Array(pieceBytes);
  const first = bootloaderRecordMagic.charCodeAt(0);
  for (let offset = 0; offset < endBytes; offset += pieceBytes - overlapBytes) {
    const part = piece.subarray(0, Math.min(pieceBytes, endBytes - offset));
    area.read(offset, part);
    for (let at = part.indexOf(first); at >= 0; at = part.indexOf(first, at + 1))
      if (isBootloaderRecord(part, at) && at + bootloaderRecordBytes <= part.length)
        return part.slice(at, at + bootloaderRecordBytes);
  }
  return null;
}
