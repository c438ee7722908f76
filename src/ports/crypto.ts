/** A running SHA-256. Whoever opens one ends it with `digest` or `close`, on every path. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  /** 32 bytes; the hasher must not be used again. */
  digest(): Uint8Array;
  /** Gives it up; nothing where it has ended. A native one would keep its memory. */
  close(): void;
}

/** SHA-256 of parts that are in memory, one behind the other. */
export function digestOf(crypto: Pick<Crypto, "sha256">, ...parts: readonly Uint8Array[]) {
  const hasher = crypto.sha256();
  try {
    for (const part of parts) hasher.update(part);
    return hasher.digest();
  } finally {
    hasher.close();
  }
}

/**
 * The two primitives that images, metadata and native crypto have in common: SHA-256 and ECDSA on
 * P-256.
 */
export interface Crypto {
  sha256(): Hasher;
  /**
   * Verifies an ECDSA P-256 signature over a digest.
   * `publicKey` is the uncompressed point (65 bytes, 0x04 first), `digest` 32 bytes, `signature` r
   * and s in 64 bytes. Malformed input and points off the curve answer false, never throw.
   */
  verifyP256(publicKey: Uint8Array, digest: Uint8Array, signature: Uint8Array): boolean;
}
