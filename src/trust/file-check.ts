import { toHex } from "../image/hex.ts";
import type { Hasher } from "../ports/crypto.ts";
import type { Hashes, MetaFile } from "./metadata.ts";
import { type Refused, refused } from "./refusal.ts";
import type { TargetFile } from "./targets.ts";
import type { TrustCrypto } from "./trust-crypto.ts";

/**
 * Whether a file is the one that trusted metadata means: by its length, where that is known, and by
 * every listed hash whose algorithm this client has. Takes the file whole or in pieces.
 */
export class FileCheck {
  /** A longer file need not be read to its end. */
  readonly bytesMax: number;
  readonly #lengthBytes: number | null;
  readonly #hashes: Hashes | null;
  readonly #crypto: TrustCrypto;
  /** Null until the first byte comes: who only asks for `bytesMax` opens none. */
  #hashers: ReadonlyMap<string, Hasher> | null = null;
  #bytes = 0;

  constructor(options: {
    readonly lengthBytes: number | null;
    readonly bytesMax: number;
    readonly hashes: Hashes | null;
    readonly crypto: TrustCrypto;
  }) {
    this.bytesMax = options.bytesMax;
    this.#lengthBytes = options.lengthBytes;
    this.#hashes = options.hashes;
    this.#crypto = options.crypto;
  }

  update(piece: Uint8Array): void {
    this.#bytes += piece.length;
    for (const hasher of this.#opened().values()) hasher.update(piece);
  }

  /** Ends the check; null when the file is the one. */
  end(): Refused | null {
    try {
      return this.#judged();
    } finally {
      this.close();
    }
  }

  /** Gives up a check that nobody ends. */
  close(): void {
    for (const hasher of this.#hashers?.values() ?? []) hasher.close();
    this.#hashers = new Map();
  }

  whole(bytes: Uint8Array): Refused | null {
    try {
      this.update(bytes);
      return this.#judged();
    } finally {
      this.close();
    }
  }

  #opened(): ReadonlyMap<string, Hasher> {
    if (this.#hashers !== null) return this.#hashers;
    const hashers = new Map<string, Hasher>();
    this.#hashers = hashers; // before the first is opened: `close` finds those that were
    for (const algorithm of this.#hashes?.keys() ?? []) {
      const hasher = this.#crypto.hasher(algorithm);
      if (hasher !== null) hashers.set(algorithm, hasher);
    }
    return hashers;
  }

  #judged(): Refused | null {
    const hashers = this.#opened();
    if (this.#bytes > this.bytesMax)
      return refused("too-large", `${this.#bytes} bytes, at most ${this.bytesMax}`);
    if (this.#lengthBytes !== null && this.#bytes !== this.#lengthBytes)
      return refused("length-mismatch", `${this.#bytes} bytes instead of ${this.#lengthBytes}`);
    // Hashes of algorithms that are unknown here say nothing, so one at least must be known.
    if (this.#hashes !== null && hashers.size === 0)
      return refused(
        "hash-mismatch",
        `none of the hashes ${[...this.#hashes.keys()].join(", ")} is known here`,
      );
    for (const [algorithm, hasher] of hashers) {
      const found = toHex(hasher.digest());
      const wanted = this.#hashes?.get(algorithm);
      if (found !== wanted)
        return refused("hash-mismatch", `${algorithm} ${found} instead of ${wanted}`);
    }
    return null;
  }
}

/**
 * Checks a metadata file: 5.5.2, 5.6.2. A listed length above the cap is refused as too large when
 * it comes.
 */
export function metaFileCheck(meta: MetaFile, bytesMax: number, crypto: TrustCrypto): FileCheck {
  const { lengthBytes, hashes } = meta;
  return new FileCheck({
    lengthBytes,
    bytesMax: Math.min(lengthBytes ?? bytesMax, bytesMax),
    hashes,
    crypto,
  });
}

/** Checks a target: 5.7.3. */
export function targetFileCheck(file: TargetFile, crypto: TrustCrypto): FileCheck {
  const { lengthBytes, hashes } = file;
  return new FileCheck({ lengthBytes, bytesMax: lengthBytes, hashes, crypto });
}
