import { anyHex, isOf } from "./text-parts.ts";

const digits = "0123456789abcdef";

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += digits.charAt(byte >> 4) + digits.charAt(byte & 15);
  return text;
}

/** The bytes of an even number of hex digits of either case, or null. */
export function fromHex(text: string): Uint8Array | null {
  if (text.length % 2 !== 0 || !isOf(text, anyHex, 0, text.length)) return null;
  const bytes = new Uint8Array(text.length / 2);
  for (let index = 0; index < bytes.length; index += 1)
    bytes[index] = Number.parseInt(text.slice(index * 2, index * 2 + 2), 16);
  return bytes;
}
