import { crc32 } from "node:zlib";
import { sectorBytes } from "../../flash/geometry.ts";
import type { NorFlash } from "../../flash/nor-flash.ts";
import type { FlashOperation } from "../../flash/operation.ts";
import type { BootOutcome, TrailerReport, TrailerReports } from "../boot.ts";
import { flashDigest, type VectorFolder } from "./vector-folder.ts";
import type { JsonObject } from "./vector-json.ts";

/** What was compared, told apart as recorded and seen; an empty list is agreement. */
export type Differences = string[];

/** A report of the model in the words of the vectors. */
export function trailerFields(report: TrailerReport): Record<string, unknown> {
  return {
    magic: report.magic,
    swap_type: report.swapType,
    copy_done: report.copyDone,
    image_ok: report.imageOk,
    image_num: report.imageNumber,
    swap_size: report.swapBytes,
    tlv_size_primary: report.tlvBytes?.[0] ?? null,
    tlv_size_secondary: report.tlvBytes?.[1] ?? null,
    status_entries_used: report.statusEntriesUsed,
  };
}

export function compareTrailers(
  recorded: JsonObject,
  seen: TrailerReports,
  what: string,
): Differences {
  return recorded.keys().flatMap((area) => {
    if (area !== "primary" && area !== "secondary" && area !== "scratch")
      return [`${what}: unknown area ${area}`];
    const report = seen[area];
    if (report === null) return [`${what}: the model has no ${area} trailer`];
    const fields = trailerFields(report);
    const expected = recorded.object(area);
    return expected
      .keys()
      .flatMap((key) => compareValue(`${what} ${area} ${key}`, expected.raw(key), fields[key]));
  });
}

/** The fields of `expect` that the outcome itself answers. */
export function outcomeFields(outcome: BootOutcome): Record<string, unknown> {
  const { erases, writes, bytesErased, bytesWritten } = outcome.operations;
  return {
    outcome: outcome.outcome,
    image_off: outcome.outcome === "booted" ? outcome.imageOffset : undefined,
    version: outcome.outcome === "booted" ? outcome.version : undefined,
    swap_type: "swapType" in outcome ? outcome.swapType : undefined,
    swap_ran: outcome.swapRan,
    // Recorded only of a boot that then started an image.
    resumed: outcome.outcome === "booted" && outcome.resumed,
    ops: erases + writes,
    erases,
    writes,
    bytes_erased: bytesErased,
    bytes_written: bytesWritten,
    trailer_swap_type_before: outcome.before.swapType,
    trailer_swap_type_after: outcome.after.swapType,
  };
}

export function compareValue(what: string, recorded: unknown, seen: unknown): Differences {
  return recorded === seen ? [] : [`${what}: recorded ${show(recorded)}, seen ${show(seen)}`];
}

/**
 * Trace entries: ["e", address, length] and ["w", address, length, crc32, hex where it is 32 bytes
 * or less].
 */
export function compareTrace(
  recorded: readonly unknown[],
  seen: readonly FlashOperation[],
): Differences {
  const length = Math.max(recorded.length, seen.length);
  for (let index = 0; index < length; index++) {
    const operation = seen[index];
    const ours = operation === undefined ? "nothing" : JSON.stringify(traceEntry(operation));
    const theirs = recorded[index] === undefined ? "nothing" : JSON.stringify(recorded[index]);
    if (ours !== theirs) return [`operation ${index}: recorded ${theirs}, seen ${ours}`];
  }
  return [];
}

const traceDataBytesMax = 32;

/** One operation as the vectors write it. */
export function traceEntry(operation: FlashOperation): readonly unknown[] {
  const { address, lengthBytes } = operation;
  if (operation.kind === "erase") return ["e", address, lengthBytes];
  const checksum = crc32(operation.bytes).toString(16).padStart(8, "0");
  const entry = ["w", address, lengthBytes, checksum];
  return lengthBytes <= traceDataBytesMax ? [...entry, hex(operation.bytes)] : entry;
}

/**
 * Compares the whole chip with a snapshot, by its id alone where the snapshot itself is not stored.
 */
export function compareFlash(folder: VectorFolder, id: string, flash: NorFlash): Differences {
  if (!/^[0-9a-f]{16,64}$/.test(id)) return [`flash_after is "${id}", not the id of a snapshot`];
  if (flashDigest(flash).startsWith(id)) return [];
  if (!folder.hasSnapshot(id)) return [`flash: not the one recorded as ${id}`];
  const expected = folder.snapshot(id, flash.writeBlockBytes);
  if (expected.sizeBytes !== flash.sizeBytes)
    return [`flash: recorded ${expected.sizeBytes} bytes, seen ${flash.sizeBytes}`];
  return differingSectors(expected, flash);
}

const sectorsShownMax = 6;

function differingSectors(expected: NorFlash, flash: NorFlash): Differences {
  const found: Differences = [];
  for (let index = 0; index < flash.sizeBytes / sectorBytes; index++) {
    const recorded = expected.sectorView(index);
    const seen = flash.sectorView(index);
    const at = recorded.findIndex((byte, offset) => byte !== seen[offset]);
    if (at < 0) continue;
    const address = (index * sectorBytes + at).toString(16);
    const piece = (bytes: Uint8Array): string => hex(bytes.subarray(at, at + 8));
    found.push(`flash at 0x${address}: recorded ${piece(recorded)}, seen ${piece(seen)}`);
  }
  const more = found.length - sectorsShownMax;
  return more > 0
    ? [...found.slice(0, sectorsShownMax), `flash: ${more} more sectors differ`]
    : found;
}

/** The writes of an application call: [address, hex]. */
export function compareWrites(
  recorded: readonly unknown[],
  seen: readonly FlashOperation[],
): Differences {
  const ours = seen.map((operation) =>
    operation.kind === "write" ? [operation.address, hex(operation.bytes)] : ["erase"],
  );
  return compareValue("writes", JSON.stringify(recorded), JSON.stringify(ours));
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}

function show(value: unknown): string {
  return value === undefined
    ? "nothing"
    : typeof value === "string"
      ? value
      : JSON.stringify(value);
}
