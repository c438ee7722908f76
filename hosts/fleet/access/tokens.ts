import { hash, randomBytes, timingSafeEqual } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { createFile } from "../../files/replace-file.ts";
import { DatabaseRefusedError } from "../storage/sqlite/database-check.ts";

/** The SHA-256 of a token that memory alone keeps, for comparing it in constant time. */
export function tokenSha256(token: string): string {
  return hash("sha256", token, "hex");
}

/** Compares two SHA-256 digests in hex in constant time. */
export function isSameDigest(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a, "hex"), Buffer.from(b, "hex"));
}

/**
 * What the database knows a token by: HMAC-SHA-256, or a plain SHA-256 of before there was a key.
 */
export interface KnownToken {
  readonly token_mac: string | null;
  readonly token_sha256: string | null;
}

const keyBytes = 32;
/** The block of SHA-256; a key is not longer. */
const blockBytes = 64;

/**
 * Makes of tokens what the database keeps of them, with a key of this server that is in a file of
 * its own: whoever has only the database can neither use nor guess a token. One MAC for each poll
 * costs microseconds.
 */
export class TokenKey {
  readonly #inner: Buffer;
  readonly #outer: Buffer;

  constructor(key: Buffer = randomBytes(keyBytes)) {
    this.#inner = Buffer.alloc(blockBytes, 0x36);
    this.#outer = Buffer.alloc(blockBytes, 0x5c);
    for (const [index, byte] of key.entries())
      for (const pad of [this.#inner, this.#outer]) pad[index] = (pad[index] ?? 0) ^ byte;
  }

  /** HMAC-SHA-256 (RFC 2104), of two plain hashes: Node's own makes a key object for each call. */
  mac(token: string): string {
    const inner = hash("sha256", Buffer.concat([this.#inner, Buffer.from(token)]), "buffer");
    return hash("sha256", Buffer.concat([this.#outer, inner]), "hex");
  }

  /** Tells this key from others, and nothing of what it is: 31 bits of a MAC that no token has. */
  get mark(): number {
    return Number.parseInt(this.mac("the mark of a key").slice(0, 8), 16) >>> 1 || 1;
  }

  /** `old`: it fits, and is kept in the way of before; the MAC has to take its place. */
  fits(token: string, known: KnownToken): "yes" | "old" | "no" {
    const { token_mac: mac, token_sha256: sha256 } = known;
    if (mac !== null) return isSameDigest(this.mac(token), mac) ? "yes" : "no";
    return sha256 !== null && isSameDigest(tokenSha256(token), sha256) ? "old" : "no";
  }
}

/** The key beside the database, made when no token needs it yet. */
export function openTokenKey(databaseFile: string, isNeeded: boolean): TokenKey {
  if (databaseFile === ":memory:") return new TokenKey();
  const name = basename(databaseFile).replace(/\.sqlite$/, "");
  const path = join(dirname(databaseFile), `${name}.token-key`);
  const known = readKey(path);
  if (known !== null) return new TokenKey(known);
  if (isNeeded)
    throw new DatabaseRefusedError(
      `${path} is missing, and without it no device's token is known: restore it from the backup`,
    );
  const key = randomBytes(keyBytes);
  createFile(path, `${key.toString("hex")}\n`, 0o600);
  return new TokenKey(key);
}

function readKey(path: string): Buffer | null {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return null;
    if (code !== "EISDIR") throw error;
    text = "";
  }
  if (/^[0-9a-f]{64}\n?$/.test(text)) return Buffer.from(text.trim(), "hex");
  throw new DatabaseRefusedError(
    `${path} is no key of 32 bytes in hex: restore it from the backup`,
  );
}

const newCharactersMin = 16;
const newDistinctMin = 8;

/** What is wrong with a token that somebody made up, or null. */
export function weakness(token: string): string | null {
  const distinct = new Set(token).size;
  if (token.length >= newCharactersMin && distinct >= newDistinctMin) return null;
  return `a token of ${token.length} characters, ${distinct} of them different, can be guessed: give at least ${newCharactersMin} with ${newDistinctMin} different ones, or none to get one`;
}
