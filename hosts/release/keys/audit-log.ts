import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { setTimeout } from "node:timers/promises";
import { canonicalize } from "@tufjs/canonical-json";
import { type AuditEntry, type AuditUse, entryDigest, genesisHash } from "./audit-entry.ts";
import { type Signer, sha256 } from "./signer.ts";

/** Uses that one entry may tell of: a server notes what it signed within a second in one. */
export const usesPerEntryMax = 256;

const tailBytesMax = 256 * 1024;
const lockTriesMax = 3000;
const lockWaitMs = 50;

/**
 * A log of every use of a key: one JSON object per line, each with the hash of the line before it
 * and signed by the key that it tells of. A line is on the disk before the signature that it tells
 * of is handed out; a power cut in between leaves a line for a signature that nobody got, or part
 * of a line, which the next entry replaces.
 */
export class AuditLog {
  readonly path: string;
  private readonly now: () => number;

  constructor(path: string, now: () => number = Date.now) {
    this.path = path;
    this.now = now;
  }

  /**
   * Adds an entry, signed by `signer`. Throws when the file cannot be written: then nothing may be
   * signed.
   */
  async append(signer: Signer, uses: readonly AuditUse[]): Promise<void> {
    if (uses.length < 1 || uses.length > usesPerEntryMax)
      throw new RangeError(`an entry tells of 1 to ${usesPerEntryMax} uses, not ${uses.length}`);
    await this.lock();
    try {
      const file = openSync(this.path, "a+", 0o600);
      try {
        const last = cutToWholeLines(file);
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
    } finally {
      rmSync(this.lockPath, { force: true });
      heldLocks.delete(this.lockPath);
    }
  }

  private get lockPath(): string {
    return `${this.path}.lock`;
  }

  /** One writer at a time; the lock of a process that is no more is taken over. */
  private async lock(): Promise<void> {
    for (let tries = 0; tries < lockTriesMax; tries += 1) {
      try {
        const file = openSync(this.lockPath, "wx", 0o600);
        writeSync(file, String(process.pid));
        closeSync(file);
        heldLocks.add(this.lockPath);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      if (isAbandoned(this.lockPath)) rmSync(this.lockPath, { force: true });
      else await setTimeout(lockWaitMs);
    }
    throw new Error(`${this.lockPath} is held by another program; delete it when none runs`);
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

/** Drops what a power cut left of a line; answers the last whole one. */
function cutToWholeLines(file: number): { sequence: number; hash: string } | null {
  const { size } = fstatSync(file);
  const start = Math.max(0, size - tailBytesMax);
  const tail = Buffer.alloc(size - start);
  for (let read = 0; read < tail.length; ) {
    const bytes = readSync(file, tail, read, tail.length - read, start + read);
    if (bytes === 0) throw new Error("the audit log became shorter while it was read");
    read += bytes;
  }
  const end = tail.lastIndexOf(0x0a);
  if (end + 1 < tail.length) ftruncateSync(file, start + end + 1);
  if (end < 0) return null;
  const line = tail.subarray(tail.lastIndexOf(0x0a, end - 1) + 1, end);
  const { sequence } = JSON.parse(line.toString()) as AuditEntry;
  return { sequence, hash: sha256(line).toString("hex") };
}

/** Locks that this process has itself: in a container the one before it had the same id. */
const heldLocks = new Set<string>();

/** Longer than any signer may take; the clock is that of the file system, not of the log. */
const lockAgeMsMax = 10 * 60_000;

function isAbandoned(lockPath: string): boolean {
  try {
    const pid = Number(readFileSync(lockPath, "utf8"));
    if (Date.now() - statSync(lockPath).mtimeMs > lockAgeMsMax) return true;
    if (!Number.isSafeInteger(pid) || pid < 1) return false;
    if (pid === process.pid) return !heldLocks.has(lockPath);
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH"; // EPERM: it lives; ENOENT: it let go
  }
}
