import { p256 } from "@noble/curves/nist.js";
import type { TrustedImageKey } from "../../src/image/keys.ts";
import { signatureToDer } from "../../src/image/signature.ts";
import type { ImageSigner } from "../../src/image/writer.ts";

/**
 * A signer whose private key is the small number `secret`: same signatures everywhere (RFC 6979),
 * worthless elsewhere.
 */
export function testSigner(secret: number): ImageSigner & { readonly key: TrustedImageKey } {
  const privateKey = new Uint8Array(32);
  privateKey[31] = secret;
  const publicKey = p256.getPublicKey(privateKey, false);
  return {
    publicKey,
    key: { algorithm: "ecdsa-p256", publicKey },
    sign: async (digest) =>
      signatureToDer(p256.sign(digest, privateKey, { prehash: false, lowS: false })),
  };
}
