import type { Hasher } from "../ports/crypto.ts";
import { canonicalJson, writeCanonicalJson } from "./canonical-json.ts";
import type { JsonObject } from "./json.ts";

/** A key as clause 4.2.2 gives it; what `public` holds depends on the type. */
export interface PublicKey {
  readonly keyType: string;
  readonly scheme: string;
  readonly public: string;
}

/** The primitives, which are injected: a device has P-256 and SHA-256, a host more. */
export interface TrustCrypto {
  /** Null for an algorithm that it does not have. */
  hasher(algorithm: string): Hasher | null;
  /** Keys and schemes that it does not have, and malformed signatures, answer false. */
  verify(key: PublicKey, payload: SignedPayload, signature: Uint8Array): boolean;
}

/** What is signed: the canonical form of a signed part. A device needs its digest only. */
export class SignedPayload {
  readonly #signed: JsonObject;
  #digest: Uint8Array | null = null;

  constructor(signed: JsonObject) {
    this.#signed = signed;
  }

  bytes(): Uint8Array {
    return canonicalJson(this.#signed);
  }

  sha256(crypto: TrustCrypto): Uint8Array {
    if (this.#digest !== null) return this.#digest;
    this.#digest = sha256Of(crypto, (update) => writeCanonicalJson(this.#signed, update));
    return this.#digest;
  }
}

/** SHA-256 of what `write` gives; every provider has it, since key ids need it (clause 4.2.1). */
export function sha256Of(
  crypto: TrustCrypto,
  write: (update: (piece: Uint8Array) => void) => void,
): Uint8Array {
  const hasher = crypto.hasher("sha256");
  if (hasher === null) throw new RangeError("this provider has no sha256");
  try {
    write((piece) => hasher.update(piece));
    return hasher.digest();
  } finally {
    hasher.close();
  }
}
