import { p256 } from "@noble/curves/nist.js";
import {
  configurationDigest,
  encodeConfigurationEnvelope,
} from "../../src/config/configuration-envelope.ts";
import { nobleCrypto } from "../../src/ports/noble-crypto.ts";

/** Signs configuration documents with the private key that is the small number `secret`. */
export class ConfigurationSigner {
  readonly publicKey: Uint8Array;
  readonly #privateKey = new Uint8Array(32);

  constructor(secret: number) {
    this.#privateKey[31] = secret;
    this.publicKey = p256.getPublicKey(this.#privateKey, false);
  }

  /** The envelope of a value as JSON, or of a text as it is. */
  seal(document: object | string): Uint8Array {
    const text = typeof document === "string" ? document : JSON.stringify(document);
    const bytes = new TextEncoder().encode(text);
    const digest = configurationDigest(bytes, nobleCrypto);
    const signature = p256.sign(digest, this.#privateKey, { prehash: false, lowS: false });
    return encodeConfigurationEnvelope(bytes, signature);
  }
}
