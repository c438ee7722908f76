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
  readonly #hashers: ReadonlyMap<string, Hasher>;
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
    const hashers = new Map<string, Hasher>();
    for (const algorithm of options.hashes?.keys() ?? []) {
      const hasher = options.crypto.hasher(algorithm);
      if (hasher !== null) hashers.set(algorithm, hasher);
    }
    this.#hashers = hashers;
  }

  update(piece: Uint8Array): void {
    this.#bytes += piece.length;
    for (const hasher of this.#hashers.values()) hasher.update(piece);
  }

  /** Ends the check; null when the file is the one. */
  end(): Refused | null {
    if (this.#bytes > this.bytesMax)
      return refused("too-large", `${this.#bytes} bytes, at most ${this.bytesMax}`);
    if (this.#lengthBytes !== null && this.#bytes !== this.#lengthBytes)
      return refused("length-mismatch", `${this.#bytes} bytes instead of ${this.#lengthBytes}`);
    // Hashes of algorithms that are unknown here say nothing, so one at least must be known.
    if (this.#hashes !== null && this.#hashers.size === 0)
      return refused(
        "hash-mismatch",
        `none of the hashes ${[...this.#hashes.keys()].join(", ")} is known here`,
      );
    for (const [algorithm, hasher] of this.#hashers) {
      const found = toHex(hasher.digest());
      const wanted = this.#hashes?.get(algorithm);
      if (found !== wanted)
        return refused("hash-mismatch", `${algorithm} ${found} instead of ${wanted}`);
    }
    return null;
  }

  whole(bytes: Uint8Array): Refused | null {
    this.update(bytes);
    return this.end();
  }
}

/** Of metadata: 5.5.2, 5.6.2. A listed length above the cap is refused as too large when it comes. */
export function metaFileCheck(meta: MetaFile, bytesMax: number, crypto: TrustCrypto): FileCheck {
  const { lengthBytes, hashes } = meta;
  return new FileCheck({
    lengthBytes,
    bytesMax: Math.min(lengthBytes ?? bytesMax, bytesMax),
    hashes,
    crypto,
  });
}

/** Of a target: 5.7.3. */
export function targetFileCheck(file: TargetFile, crypto: TrustCrypto): FileCheck {
  const { lengthBytes, hashes } = file;
  return new FileCheck({ lengthBytes, bytesMax: lengthBytes, hashes, crypto });
}
