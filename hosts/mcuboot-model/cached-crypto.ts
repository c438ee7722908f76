import type { Crypto } from "../../src/ports/crypto.ts";
import { nodeCrypto } from "../release/node-crypto.ts";

/** Signatures whose verdict is kept; a fleet has a few images only. */
const verdictsMax = 4096;
const verdicts = new Map<string, boolean>();

/**
 * The bootloader model boots the same images tens of thousands of times. A signature check is a
 * pure function of key, digest and signature, so keeping its verdict hides nothing: the image
 * itself is hashed anew at every check.
 */
export const cachedCrypto: Crypto = {
  sha256: () => nodeCrypto.sha256(),
  verifyP256(publicKey, digest, signature) {
    const id = [publicKey, digest, signature].map((bytes) => Buffer.from(bytes).toString("hex"));
    const key = id.join(":");
    const known = verdicts.get(key);
    if (known !== undefined) return known;
    const verdict = nodeCrypto.verifyP256(publicKey, digest, signature);
    if (verdicts.size >= verdictsMax) verdicts.clear();
    verdicts.set(key, verdict);
    return verdict;
  },
};
