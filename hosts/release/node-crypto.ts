import { createHash, createPublicKey, verify } from "node:crypto";
import { encodePublicKey } from "../../src/image/keys.ts";
import type { Ed25519Verify } from "../../src/image/verify.ts";
import type { Crypto } from "../../src/ports/crypto.ts";
import { nobleCrypto } from "../../src/ports/noble-crypto.ts";

/**
 * The Crypto port on Node: native SHA-256; ECDSA stays noble's, because Node verifies messages
 * only, not digests.
 */
export const nodeCrypto: Crypto = {
  sha256() {
    const hash = createHash("sha256");
    return {
      update: (bytes) => void hash.update(bytes),
      digest: () => hash.digest(),
      close() {}, // nothing but memory that is collected
    };
  },
  verifyP256: nobleCrypto.verifyP256,
};

/** Ed25519 for hosts that model bootloaders with such keys; malformed input answers false. */
export const nodeVerifyEd25519: Ed25519Verify = (publicKey, message, signature) => {
  if (publicKey.length !== 32) return false;
  const der = Buffer.from(encodePublicKey({ algorithm: "ed25519", publicKey }));
  return verify(
    null,
    message,
    createPublicKey({ key: der, format: "der", type: "spki" }),
    signature,
  );
};
