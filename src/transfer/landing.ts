import { type BlockHashes, isBlockHash } from "../image/block-hashes.ts";
import type { Crypto, Hasher } from "../ports/crypto.ts";
import { type DigestHex, digestHex } from "../protocol/digest.ts";

/** Judges the bytes of a file as they land. */
export interface Landing {
  /** A request ends where a block ends. */
  readonly blockBytes: number;
  /**
   * Called before each block. Answers from where the bytes that the slot holds must be given to
   * `update` first, or null when none must.
   */
  catchUpFrom(receivedBytes: number): number | null;
  update(bytes: Uint8Array): void;
  /** Whether all of a block ends there that `blockEnded` can judge by its own hash. */
  judgesBlockEndingAt(offsetBytes: number): boolean;
  /** After the last byte of a block, and of the file: `bad` bytes must be fetched again. */
  blockEnded(): "good" | "bad";
  /** After the last byte of the file. */
  fileEnded(): boolean;
  /** Gives up what has not ended. */
  close(): void;
}

/** One hash over the whole file: whether anything is spoilt is known at its end. */
export class FileLanding implements Landing {
  readonly blockBytes: number;
  readonly #crypto: Crypto;
  readonly #fileHash: DigestHex;
  #hasher: Hasher | null = null;

  constructor(crypto: Crypto, fileHash: DigestHex, blockBytes: number) {
    this.#crypto = crypto;
    this.#fileHash = fileHash;
    this.blockBytes = blockBytes;
  }

  catchUpFrom(): number | null {
    if (this.#hasher !== null) return null;
    this.#hasher = this.#crypto.sha256();
    return 0;
  }

  update(bytes: Uint8Array): void {
    this.#hasher?.update(bytes);
  }

  judgesBlockEndingAt(): boolean {
    return false;
  }

  blockEnded(): "good" {
    return "good";
  }

  fileEnded(): boolean {
    const digest = this.#hasher?.digest();
    this.#hasher = null;
    return digest !== undefined && digestHex(digest) === this.#fileHash;
  }

  close(): void {
    this.#hasher?.close();
    this.#hasher = null;
  }
}

/**
 * A hash per block of header and payload: a spoilt block is known at its end. What follows them the
 * signature judges.
 */
export class BlockLanding implements Landing {
  readonly blockBytes: number;
  readonly #crypto: Crypto;
  readonly #blocks: BlockHashes;
  #hasher: Hasher | null = null;
  #offsetBytes = 0;
  #block = 0;

  constructor(crypto: Crypto, blocks: BlockHashes) {
    this.#crypto = crypto;
    this.#blocks = blocks;
    this.blockBytes = blocks.blockBytes;
  }

  catchUpFrom(receivedBytes: number): number | null {
    if (this.#hasher !== null) return null;
    this.#hasher = this.#crypto.sha256();
    this.#block = Math.floor(receivedBytes / this.blockBytes);
    this.#offsetBytes = this.#block * this.blockBytes;
    return this.#offsetBytes;
  }

  update(bytes: Uint8Array): void {
    const coveredBytes = Math.max(0, this.#blocks.coveredBytes - this.#offsetBytes);
    this.#hasher?.update(coveredBytes < bytes.length ? bytes.subarray(0, coveredBytes) : bytes);
    this.#offsetBytes += bytes.length;
  }

  judgesBlockEndingAt(offsetBytes: number): boolean {
    return offsetBytes % this.blockBytes === 0 && offsetBytes <= this.#blocks.coveredBytes;
  }

  blockEnded(): "good" | "bad" {
    const digest = this.#hasher?.digest();
    this.#hasher = null;
    const isCovered = this.#block * this.blockBytes < this.#blocks.coveredBytes;
    if (!isCovered) return "good";
    return digest !== undefined && isBlockHash(this.#blocks, this.#block, digest) ? "good" : "bad";
  }

  fileEnded(): boolean {
    return true;
  }

  close(): void {
    this.#hasher?.close();
    this.#hasher = null;
  }
}
