import { hash, timingSafeEqual } from "node:crypto";

/** Tokens are random and long, so a plain digest of them is enough to keep. */
export function tokenSha256(token: string): string {
  return hash("sha256", token, "hex");
}

/** Compares two SHA-256 digests in hex in constant time. */
export function isSameDigest(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a, "hex"), Buffer.from(b, "hex"));
}
