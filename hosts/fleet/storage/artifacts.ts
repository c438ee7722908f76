import { createHash } from "node:crypto";
import { createReadStream, type ReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { DigestHex } from "../../../src/protocol/digest.ts";
import { ArtifactMissingError } from "../terms/faults.ts";

export interface StoredArtifact {
  readonly sha256: DigestHex;
  readonly sha1: string;
  readonly md5: string;
  readonly sizeBytes: number;
}

const judgedMax = 10_000;

/**
 * Files under their SHA-256, never changed once they have their name. A file is written under
 * another name, synced and renamed, and its folder synced: a power cut leaves it whole, or absent
 * with at most a stray temporary file.
 */
export class ArtifactFolder {
  private readonly folder: string;
  private temporaries = 0;
  private readonly judged = new Map<
    string,
    { readonly change: string; readonly isWhole: boolean }
  >();

  constructor(folder: string) {
    this.folder = folder;
  }

  /** `artifact` tells of large files what their hashes are, so that they are made elsewhere. */
  async store(
    bytes: Uint8Array,
    artifact: StoredArtifact = describeArtifact(bytes),
  ): Promise<StoredArtifact> {
    const path = this.pathOf(artifact.sha256);
    const budget = { bytes: bytes.length };
    if (await this.isWhole(artifact.sha256, bytes.length, budget)) return artifact;
    await mkdir(dirname(path), { recursive: true });
    this.temporaries += 1;
    const temporary = `${path}.${process.pid}-${this.temporaries}.part`;
    try {
      const file = await open(temporary, "wx");
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(dirname(path));
    await syncFolder(this.folder);
    return artifact;
  }

  /**
   * Removes what uploads left that were cut off. Only for a server that holds the folder, before it
   * serves; what is beyond the bound goes at the next start.
   */
  async removeLeftovers(): Promise<void> {
    for (const part of await namesIn(this.folder, /^[0-9a-f]{2}$/))
      await removeFrom(join(this.folder, part), /^[0-9a-f]{64}\.\d+-\d+\.part$/);
  }

  /** Written and deleted again by whoever wants to know whether it can be. */
  get probePath(): string {
    return join(this.folder, ".writable");
  }

  async makeFolder(): Promise<void> {
    await mkdir(this.folder, { recursive: true });
  }

  /** Is a file of this hash and length here? */
  has(sha256: DigestHex, sizeBytes: number): Promise<boolean> {
    return isFileOf(this.pathOf(sha256), sizeBytes);
  }

  /**
   * Has the file its hash? It is read once for each time that it was changed, as far as the budget
   * of bytes goes; beyond that its length alone speaks for it.
   */
  async isWhole(sha256: DigestHex, sizeBytes: number, budget: { bytes: number }): Promise<boolean> {
    if (!(await this.has(sha256, sizeBytes))) return false;
    const path = this.pathOf(sha256);
    const { ino, ctimeMs } = await stat(path);
    const change = `${ino} ${ctimeMs}`;
    const known = this.judged.get(sha256);
    if (known?.change === change) return known.isWhole;
    if (budget.bytes < sizeBytes) return true;
    budget.bytes -= sizeBytes;
    const hash = createHash("sha256");
    for await (const piece of createReadStream(path)) hash.update(piece as Buffer);
    const isWhole = hash.digest("hex") === sha256;
    if (this.judged.size >= judgedMax) this.judged.clear();
    this.judged.set(sha256, { change, isWhole });
    return isWhole;
  }

  /** Throws `ArtifactMissingError` before a byte of an answer is promised. */
  async mustHave(sha256: DigestHex, sizeBytes: number): Promise<void> {
    if (await this.has(sha256, sizeBytes)) return;
    throw new ArtifactMissingError(
      `the file ${this.pathOf(sha256)} is missing or has not its ${sizeBytes} bytes: restore it, or publish it again`,
    );
  }

  /** Bytes `first` to `last`, both included. The stream fails when the file is missing. */
  read(sha256: DigestHex, range: { readonly first: number; readonly last: number }): ReadStream {
    return createReadStream(this.pathOf(sha256), { start: range.first, end: range.last });
  }

  private pathOf(sha256: DigestHex): string {
    return join(this.folder, sha256.slice(0, 2), sha256);
  }
}

export function describeArtifact(bytes: Uint8Array): StoredArtifact {
  const digest = (algorithm: string): string => createHash(algorithm).update(bytes).digest("hex");
  return {
    sha256: digest("sha256") as DigestHex,
    sha1: digest("sha1"),
    md5: digest("md5"),
    sizeBytes: bytes.length,
  };
}

async function isFileOf(path: string, sizeBytes: number): Promise<boolean> {
  try {
    return (await stat(path)).size === sizeBytes;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return false;
    throw error;
  }
}

const leftoversMax = 10_000;

/**
 * Files that a process was writing when it was cut off: of that folder, by the pattern of their
 * names.
 */
export async function removeFrom(folder: string, names: RegExp): Promise<void> {
  const found = await namesIn(folder, names);
  for (const name of found.slice(0, leftoversMax)) await rm(join(folder, name), { force: true });
}

async function namesIn(folder: string, names: RegExp): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => names.test(name));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return []; // readiness tells of it
    throw error;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
