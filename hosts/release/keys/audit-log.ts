import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { canonicalize } from "@tufjs/canonical-json";
import { withFileLock } from "../../files/file-lock.ts";
import {
  type AuditEntry,
  type AuditUse,
  entryDigest,
  entryStart,
  genesisHash,
  readAuditEntry,
} from "./audit-entry.ts";
import { segmentPath, segmentsOf } from "./audit-segments.ts";
import { type Signer, sha256 } from "./signer.ts";

/** Uses that one entry may tell of: a server notes what it signed within a second in one. */
export const usesPerEntryMax = 256;

/** A log that has this length becomes a segment, and the next entry begins another file. */
const segmentBytesDefault = 64 * 1024 * 1024;
const tailBytesMax = 256 * 1024;
/** Longer than a person may take to touch a token. */
const lockWaitMsMax = 150_000;

/** The log ends with something that none of our programs wrote: nothing is built upon it. */
export class AuditLogError extends Error {
  override readonly name = "AuditLogError";
}

/**
 * A log of every use of a key: one JSON object per line, each with the hash of the line before it
 * and signed by the key that it tells of. A line is on the disk before the signature that it tells
 * of is handed out; a power cut in between leaves a line for a signature that nobody got, or part
 * of a line, which the next entry replaces.
 */
export class AuditLog {
  readonly path: string;
  private readonly now: () => number;
  private readonly segmentBytes: number;

  constructor(path: string, now: () => number = Date.now, segmentBytes = segmentBytesDefault) {
    this.path = path;
    this.now = now;
    this.segmentBytes = segmentBytes;
  }

  /**
   * Adds an entry, signed by `signer`. Throws when the file cannot be written: then nothing may be
   * signed.
   */
  async append(signer: Signer, uses: readonly AuditUse[]): Promise<void> {
    if (uses.length < 1 || uses.length > usesPerEntryMax)
      throw new RangeError(`an entry tells of 1 to ${usesPerEntryMax} uses, not ${uses.length}`);
    const purpose = `a signature of ${signer.label}`;
    await withFileLock(this.path, { purpose, waitMsMax: lockWaitMsMax }, async () => {
      sealFull(this.path, this.segmentBytes);
      const file = openSync(this.path, "a+", 0o600);
      try {
        const last = cutToWholeLines(file, this.path) ?? endOfSegments(this.path);
        const unsigned = {
          sequence: (last?.sequence ?? 0) + 1,
          at: new Date(this.now()).toISOString(),
          previous: last?.hash ?? genesisHash,
          keyId: signer.keyId,
          publicKey: Buffer.from(signer.publicKey).toString("base64"),
          uses,
        };
        const signature = await signer.sign(entryDigest(unsigned));
        const entry: AuditEntry = {
          ...unsigned,
          signature: Buffer.from(signature).toString("base64"),
        };
        writeSync(file, `${canonicalize(entry)}\n`);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    });
  }
}

/** The same signer, which tells the log of every use before it answers. */
export function recordedSigner(signer: Signer, log: AuditLog, purpose: string): Signer {
  return {
    ...signer,
    async sign(digest) {
      const signature = await signer.sign(digest);
      await log.append(signer, [{ purpose, digest: Buffer.from(digest).toString("hex") }]);
      return signature;
    },
  };
}

interface Last {
  readonly sequence: number;
  readonly hash: string;
}

/** A full log, if it is whole, becomes the next segment. A power cut leaves the one or the other name. */
function sealFull(path: string, segmentBytes: number): void {
  const { size } = statSync(path, { throwIfNoEntry: false }) ?? { size: 0 };
  if (size < segmentBytes) return;
  const file = openSync(path, "r+");
  try {
    if (cutToWholeLines(file, path) === null) return;
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(path, segmentPath(path, (segmentsOf(path).at(-1)?.number ?? 0) + 1));
  const folder = openSync(dirname(path), "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

function endOfSegments(path: string): Last | null {
  const newest = segmentsOf(path).at(-1);
  if (newest === undefined) return null;
  const file = openSync(newest.path, "r");
  try {
    const { tail } = readTail(file);
    return lastOf(tail, tail.lastIndexOf(0x0a), newest.path);
  } finally {
    closeSync(file);
  }
}

/** Drops what a power cut left of a line; answers the last whole one. */
function cutToWholeLines(file: number, path: string): Last | null {
  const { tail, start } = readTail(file);
  const end = tail.lastIndexOf(0x0a);
  const last = lastOf(tail, end, path);
  const rest = tail.toString("utf8", end + 1);
  if (rest !== "") {
    // What a power cut leaves is the beginning of an entry; anything else is somebody's.
    if (!rest.startsWith(entryStart) && !entryStart.startsWith(rest)) throw damaged(path);
    ftruncateSync(file, start + end + 1);
  }
  return last;
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

/** `end`: where the last line feed is in the tail. */
function lastOf(tail: Buffer, end: number, path: string): Last | null {
  if (end < 0) {
    if (tail.length >= tailBytesMax) throw damaged(path);
    return null;
  }
  const before = end === 0 ? -1 : tail.lastIndexOf(0x0a, end - 1);
  const line = tail.subarray(before + 1, end);
  const entry = readAuditEntry(line.toString());
  if (entry === null) throw damaged(path);
  return { sequence: entry.sequence, hash: sha256(line).toString("hex") };
}

function damaged(path: string): AuditLogError {
  return new AuditLogError(
    `the audit log ${path} does not end with an entry, so nothing is signed: look at it with "sluice audit verify", and move it away or take out what does not belong there`,
  );
}
