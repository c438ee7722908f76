import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import { canonicalize } from "@tufjs/canonical-json";
import { withFileLock } from "../../files/file-lock.ts";
import { type AuditEntry, type AuditUse, entryDigest, genesisHash } from "./audit-entry.ts";
import { type Signer, sha256 } from "./signer.ts";

/** Uses that one entry may tell of: a server notes what it signed within a second in one. */
export const usesPerEntryMax = 256;

const tailBytesMax = 256 * 1024;
/** Longer than a person may take to touch a token. */
const lockWaitMsMax = 150_000;

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
    const purpose = `a signature of ${signer.label}`;
    await withFileLock(this.path, { purpose, waitMsMax: lockWaitMsMax }, async () => {
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
