import { p256 } from "@noble/curves/nist.js";
import { sha256 } from "@noble/hashes/sha2.js";
import type { Crypto } from "./crypto.ts";

/** The portable provider: everywhere but on a board, which has the SDK's native one. */
export const nobleCrypto: Crypto = {
  sha256() {
    const hash = sha256.create();
    return {
      update: (bytes) => void hash.update(bytes),
      digest: () => hash.digest(),
      close() {}, // nothing but memory that is collected
    };
  },
  verifyP256(publicKey, digest, signature) {
    if (publicKey.length !== 65 || digest.length !== 32 || signature.length !== 64) return false;
    try {
      return p256.verify(signature, digest, publicKey, { prehash: false, lowS: false });
    } catch {
      return false; // noble throws on points off the curve and on r or s out of range: both are "not valid" here
    }
  },
};
