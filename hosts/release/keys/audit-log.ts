import {
  closeSync,
  fsync,
  ftruncateSync,
  openSync,
  renameSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { promisify } from "node:util";
import { canonicalize } from "@tufjs/canonical-json";
import { withFileLock } from "../../files/file-lock.ts";
import { type LogEnd, readLogEnd } from "./audit-end.ts";
import { type AuditEntry, type AuditUse, entryDigest, genesisHash } from "./audit-entry.ts";
import { segmentPath, segmentsOf } from "./audit-segments.ts";
import type { Signer } from "./signer.ts";

/** Uses that one entry may tell of: a server notes what it signed within a second in one. */
export const usesPerEntryMax = 256;

/** A log that has this length becomes a segment, and the next entry begins another file. */
const segmentBytesDefault = 64 * 1024 * 1024;
/** Longer than a person may take to touch a token. */
const lockWaitMsMax = 150_000;

/** The file system refuses a log, its lock or its folder; nothing may be signed meanwhile. */
export class AuditLogUnwritableError extends Error {
  override readonly name = "AuditLogUnwritableError";
  readonly code: string;

  constructor(path: string, code: string, options: ErrorOptions) {
    super(`cannot write the audit log ${path} (${code}), so nothing is signed`, options);
    this.code = code;
  }
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
   * Adds an entry, signed by `signer`. Throws `AuditLogUnwritableError` when the file cannot be
   * written: then nothing may be signed.
   */
  async append(signer: Signer, uses: readonly AuditUse[]): Promise<void> {
    if (uses.length < 1 || uses.length > usesPerEntryMax)
      throw new RangeError(`an entry tells of 1 to ${usesPerEntryMax} uses, not ${uses.length}`);
    const purpose = `a signature of ${signer.label}`;
    try {
      await this.#appendLocked(signer, uses, purpose);
    } catch (error) {
      const { code, syscall } = error as NodeJS.ErrnoException;
      if (code === undefined || syscall === undefined) throw error;
      throw new AuditLogUnwritableError(this.path, code, { cause: error });
    }
  }

  async #appendLocked(signer: Signer, uses: readonly AuditUse[], purpose: string): Promise<void> {
    await withFileLock(this.path, { purpose, waitMsMax: lockWaitMsMax }, async () => {
      await sealFull(this.path, this.segmentBytes);
      const file = openSync(this.path, "a+", 0o600);
      try {
        const { last } = cutToWholeLines(file, this.path);
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
        await toDisk(file);
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

/** Servers append, too: the thread is not held while the disk is waited for. */
const toDisk = promisify(fsync);

/**
 * A full log, if it is whole, becomes the next segment. A power cut leaves the one or the other
 * name.
 */
async function sealFull(path: string, segmentBytes: number): Promise<void> {
  const { size } = statSync(path, { throwIfNoEntry: false }) ?? { size: 0 };
  if (size < segmentBytes) return;
  const file = openSync(path, "r+");
  try {
    if (cutToWholeLines(file, path).wholeBytes === 0) return;
    await toDisk(file);
  } finally {
    closeSync(file);
  }
  renameSync(path, segmentPath(path, (segmentsOf(path).at(-1)?.number ?? 0) + 1));
  const folder = openSync(dirname(path), "r");
  try {
    await toDisk(folder);
  } finally {
    closeSync(folder);
  }
}

/** Drops what a power cut left of a line. */
function cutToWholeLines(file: number, path: string): LogEnd {
  const end = readLogEnd(file, path);
  if (end.cutBytes > 0) ftruncateSync(file, end.wholeBytes);
  return end;
}
