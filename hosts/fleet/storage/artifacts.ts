import { createHash } from "node:crypto";
import { createReadStream, type ReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { ArtifactMissingError } from "../faults.ts";
import type { DigestHex } from "../names.ts";

export interface StoredArtifact {
  readonly sha256: DigestHex;
  readonly sha1: string;
  readonly md5: string;
  readonly sizeBytes: number;
}

/**
 * Files under their SHA-256, never changed once they have their name. A file is written under another name, synced and
 * renamed, and its folder synced: a power cut leaves it whole, or absent with at most a stray temporary file.
 */
export class ArtifactFolder {
  private readonly folder: string;
  private temporaries = 0;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** `artifact` tells of large files what their hashes are, so that they are made elsewhere. */
  async store(
    bytes: Uint8Array,
    artifact: StoredArtifact = describeArtifact(bytes),
  ): Promise<StoredArtifact> {
    const path = this.pathOf(artifact.sha256);
    if (await isFileOf(path, bytes.length)) return artifact;
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

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
