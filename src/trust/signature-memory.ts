import { toHex } from "../image/hex.ts";
import { sha256Of, type TrustCrypto } from "./trust-crypto.ts";

/** The keys that may sign a file, by their ids, and how many of them must. */
export interface Authority {
  readonly keyIds: readonly string[];
  readonly threshold: number;
}

/**
 * Files whose signatures were found to suffice, in memory only: a device that checks again does not
 * verify again what it has stored and what has not changed. A file is remembered with the keys and
 * the threshold that it was checked against, so it says nothing about any others.
 */
export class SignatureMemory {
  readonly #tokens: string[] = [];
  readonly #entriesMax: number;

  constructor({ entriesMax }: { readonly entriesMax: number }) {
    this.#entriesMax = entriesMax;
  }

  /** Names the file and those who may sign it: ids are hashes of keys. */
  token(bytes: Uint8Array, role: Authority, crypto: TrustCrypto): string {
    const file = sha256Of(crypto, (update) => update(bytes));
    const authority = `${role.threshold} ${[...role.keyIds].sort().join(" ")}`;
    const named = sha256Of(crypto, (update) => {
      update(file);
      update(new TextEncoder().encode(authority));
    });
    return toHex(named);
  }

  has(token: string): boolean {
    return this.#tokens.includes(token);
  }

  /** The oldest makes room. */
  add(token: string): void {
    if (this.#tokens.length === this.#entriesMax) this.#tokens.shift();
    this.#tokens.push(token);
  }
}
