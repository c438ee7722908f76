import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { genesisHash, isCutEntry, readAuditEntry } from "./audit-entry.ts";
import { segmentsOf } from "./audit-segments.ts";
import { sha256 } from "./signer.ts";

/** Several of the longest entries. */
const tailBytesMax = 256 * 1024;

/** The log ends with something that none of our programs wrote: nothing is built upon it. */
export class AuditLogError extends Error {
  override readonly name = "AuditLogError";
}

/** The entry that the next one follows. */
export interface LastEntry {
  readonly sequence: number;
  readonly hash: string;
}

/**
 * Where a log ends: its last entry, and how long it is without what a power cut left behind that.
 */
export interface LogEnd {
  /** Null in a log without entries. */
  readonly last: LastEntry | null;
  readonly wholeBytes: number;
  /** The bytes of a line that was cut, which the next entry replaces. */
  readonly cutBytes: number;
}

/**
 * Reads the end of a log, which is open. Throws `AuditLogError` where the next entry could not be
 * built upon it: the log does not end with an entry, or with one that does not follow the line
 * before.
 */
export function readLogEnd(file: number, path: string): LogEnd {
  const { tail, start } = readTail(file);
  const lines = linesOf(tail);
  const wholeBytes = start + lines.wholeBytes;
  const cutBytes = tail.length - lines.wholeBytes;
  const rest = tail.toString("utf8", lines.wholeBytes);
  if (!isCutEntry(rest)) throw damaged(path, noEntry);
  if (lines.last === null) {
    if (start > 0) throw damaged(path, noEntry);
    return { last: endOfSegments(path), wholeBytes, cutBytes };
  }
  const entry = readAuditEntry(lines.last.toString());
  if (entry === null) throw damaged(path, noEntry);
  const before = hashBefore(lines, start, path);
  if (before !== null && entry.previous !== before) throw damaged(path, brokenChain);
  const last = { sequence: entry.sequence, hash: sha256(lines.last).toString("hex") };
  return { last, wholeBytes, cutBytes };
}

interface TailLines {
  readonly last: Buffer | null;
  /** Null when it begins before the tail, or there is none. */
  readonly before: Buffer | null;
  /** The bytes of the tail up to the line feed of the last line, which counts as well. */
  readonly wholeBytes: number;
}

function linesOf(tail: Buffer): TailLines {
  const end = tail.lastIndexOf(0x0a);
  if (end < 0) return { last: null, before: null, wholeBytes: 0 };
  const feed = end === 0 ? -1 : tail.lastIndexOf(0x0a, end - 1);
  const last = tail.subarray(feed + 1, end);
  if (feed < 0) return { last, before: null, wholeBytes: end + 1 };
  const feedBefore = feed === 0 ? -1 : tail.lastIndexOf(0x0a, feed - 1);
  return { last, before: tail.subarray(feedBefore + 1, feed), wholeBytes: end + 1 };
}

/** What the last entry must name as the hash before it; null when that is too far away. */
function hashBefore(lines: TailLines, start: number, path: string): string | null {
  if (lines.before !== null) {
    const isWhole = start === 0 || readAuditEntry(lines.before.toString()) !== null;
    return isWhole ? sha256(lines.before).toString("hex") : null;
  }
  return start > 0 ? null : (endOfSegments(path)?.hash ?? genesisHash);
}

/** The last entry of the newest full part of the log. */
function endOfSegments(path: string): LastEntry | null {
  const newest = segmentsOf(path).at(-1);
  if (newest === undefined || newest.path === path) return null;
  const file = openSync(newest.path, "r");
  try {
    const { tail } = readTail(file);
    const { last } = linesOf(tail);
    const entry = last && readAuditEntry(last.toString());
    if (last === null || entry === null) throw damaged(newest.path, noEntry);
    return { sequence: entry.sequence, hash: sha256(last).toString("hex") };
  } finally {
    closeSync(file);
  }
}

function readTail(file: number): { readonly tail: Buffer; readonly start: number } {
  const { size } = fstatSync(file);
  const start = Math.max(0, size - tailBytesMax);
  const tail = Buffer.alloc(size - start);
  for (let read = 0; read < tail.length; ) {
    const bytes = readSync(file, tail, read, tail.length - read, start + read);
    if (bytes === 0) throw new Error("the audit log became shorter while it was read");
    read += bytes;
  }
  return { tail, start };
}

const noEntry = "does not end with an entry";
const brokenChain = "ends with an entry that does not follow the line before it";

function damaged(path: string, what: string): AuditLogError {
  return new AuditLogError(
    `the audit log ${path} ${what}, so nothing is signed: look at it with "sluice audit verify", and move it away or take out what does not belong there`,
  );
}
