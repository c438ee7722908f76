import { isOf, lowerHex } from "../image/text-parts.ts";

/** A SHA-256 in 64 lower-case hex digits. */
export type DigestHex = string & { readonly brand: "DigestHex" };

export function parseDigestHex(text: string | null): DigestHex | null {
  return text !== null && isOf(text, lowerHex, 64) ? (text as DigestHex) : null;
}

export function digestHex(bytes: Uint8Array): DigestHex {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text as DigestHex;
}
