import { closeSync, existsSync, openSync, readdirSync, readSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type AuditEntry, type AuditRefusal, AuditVerifier, refusalOfRest } from "./audit-entry.ts";

const digits = 6;
/** Far longer than an entry of `usesPerEntryMax` uses. */
const lineBytesMax = 1024 * 1024;
const chunkBytes = 256 * 1024;

export interface Segment {
  readonly number: number;
  readonly path: string;
}

/**
 * The full parts of a log, `audit.jsonl.000001` the oldest; `path` itself is the part that grows.
 */
export function segmentsOf(path: string): readonly Segment[] {
  const folder = dirname(path);
  if (!existsSync(folder)) return [];
  const start = `${basename(path)}.`;
  return readdirSync(folder)
    .filter((name) => name.startsWith(start) && /^\d{6}$/.test(name.slice(start.length)))
    .map((name) => ({ number: Number(name.slice(start.length)), path: join(folder, name) }))
    .sort((a, b) => a.number - b.number);
}

export function segmentPath(path: string, number: number): string {
  return `${path}.${String(number).padStart(digits, "0")}`;
}

/** `segment-missing`: there are later parts of the log, and this one is not there. */
export type AuditLogVerdict =
  | { readonly ok: true; readonly entries: number; readonly headHash: string }
  | {
      readonly ok: false;
      readonly reason: AuditRefusal | "segment-missing";
      readonly path: string;
      readonly line: number;
    };

/**
 * Checks a log with all its segments, a line at a time: each follows the one before it, also from
 * one segment to the next, so that a segment that is missing, renamed or cut off shows. Takes the
 * same memory for any length.
 */
export function verifyAuditFiles(
  path: string,
  knownKeyIds: ReadonlySet<string>,
  onEntry: (entry: AuditEntry, hash: string) => void = () => {},
): AuditLogVerdict {
  const verifier = new AuditVerifier(knownKeyIds);
  const segments = segmentsOf(path);
  for (const [index, { number }] of segments.entries())
    if (number !== index + 1) {
      const missing = segmentPath(path, index + 1);
      return { ok: false, reason: "segment-missing", path: missing, line: 0 };
    }
  // Between a full segment and the first entry of the next part there is no file of that name.
  const isBetween = segments.length > 0 && !existsSync(path);
  const files = segments.map((segment) => segment.path);
  for (const file of isBetween ? files : [...files, path]) {
    let line = 0;
    for (const { text, isWhole } of linesOf(file)) {
      line += 1;
      const taken = isWhole
        ? verifier.take(text)
        : ({ ok: false, reason: refusalOfRest(text) } as const);
      if (!taken.ok) return { ok: false, reason: taken.reason, path: file, line };
      onEntry(taken.entry, taken.hash);
    }
  }
  return { ok: true, entries: verifier.count, headHash: verifier.headHash };
}

/** A line that is too long comes cut off, which makes it no entry. */
function* linesOf(path: string): Generator<{ readonly text: string; readonly isWhole: boolean }> {
  const file = openSync(path, "r");
  try {
    const chunk = Buffer.alloc(chunkBytes);
    let rest = Buffer.alloc(0);
    for (let bytes = readSync(file, chunk); bytes > 0; bytes = readSync(file, chunk)) {
      rest = Buffer.concat([rest, chunk.subarray(0, bytes)]);
      let start = 0;
      for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a, start)) {
        yield { text: rest.toString("utf8", start, end), isWhole: true };
        start = end + 1;
      }
      rest = rest.subarray(start);
      if (rest.length > lineBytesMax) yield { text: rest.toString("utf8", 0, 100), isWhole: true };
    }
    if (rest.length > 0) yield { text: rest.toString("utf8"), isWhole: false };
  } finally {
    closeSync(file);
  }
}
