import { type Crypto, digestOf } from "../ports/crypto.ts";

/** A public key that images are verified with. */
export interface TrustedImageKey {
  /** A device knows ecdsa-p256 only; ed25519 is for hosts that model other bootloaders. */
  readonly algorithm: "ecdsa-p256" | "ed25519";
  /** ecdsa-p256: the uncompressed point, 65 bytes with 0x04 first. ed25519: 32 bytes. */
  readonly publicKey: Uint8Array;
}

/**
 * SubjectPublicKeyInfo up to the key (RFC 5480 with prime256v1, RFC 8410), the form whose SHA-256
 * is the key hash.
 */
const spkiPrefixes = {
  "ecdsa-p256": Uint8Array.of(
    ...[0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01],
    ...[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00],
  ),
  ed25519: Uint8Array.of(0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00),
} as const;

const publicKeyBytes = { "ecdsa-p256": 65, ed25519: 32 } as const;

/** The DER SubjectPublicKeyInfo of a key: what a "PUBLIC KEY" PEM holds and what MCUboot embeds. */
export function encodePublicKey(key: TrustedImageKey): Uint8Array {
  const wanted = publicKeyBytes[key.algorithm];
  if (key.publicKey.length !== wanted)
    throw new RangeError(
      `a public ${key.algorithm} key has ${wanted} bytes, not ${key.publicKey.length}`,
    );
  return Uint8Array.of(...spkiPrefixes[key.algorithm], ...key.publicKey);
}

/** Reads a SubjectPublicKeyInfo of one of the two algorithms; null for any other bytes. */
export function decodePublicKey(der: Uint8Array): TrustedImageKey | null {
  for (const algorithm of ["ecdsa-p256", "ed25519"] as const) {
    const prefix = spkiPrefixes[algorithm];
    if (der.length !== prefix.length + publicKeyBytes[algorithm]) continue;
    if (prefix.every((byte, index) => der[index] === byte))
      return { algorithm, publicKey: der.slice(prefix.length) };
  }
  return null;
}

/** The 32 bytes of the `IMAGE_TLV_KEYHASH` that names this key. */
export function imageKeyHash(key: TrustedImageKey, crypto: Crypto): Uint8Array {
  return digestOf(crypto, encodePublicKey(key));
}
