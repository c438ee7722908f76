/** Characters that one call of `String.fromCodePoint` gets. */
const runMax = 64;

/**
 * The text of these bytes; null when they are not well-formed UTF-8 (RFC 3629: no overlong form, no
 * surrogate, nothing beyond U+10FFFF). A decoder that replaces what it cannot read would give two
 * files one meaning.
 */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string | null {
  let text = "";
  let points: number[] = [];
  for (let index = start; index < end; ) {
    const first = bytes[index] ?? 0;
    const length = lengthOf(first);
    if (length === 0 || index + length > end) return null;
    let point = length === 1 ? first : first & (0x7f >> length);
    for (let next = 1; next < length; next += 1) {
      const byte = bytes[index + next] ?? 0;
      if ((byte & 0xc0) !== 0x80) return null;
      point = (point << 6) | (byte & 0x3f);
    }
    if (point < (smallest[length] ?? 0) || point > 0x10ffff) return null;
    if (point >= 0xd800 && point <= 0xdfff) return null;
    points.push(point);
    index += length;
    if (points.length === runMax) {
      text += String.fromCodePoint(...points);
      points = [];
    }
  }
  return text + String.fromCodePoint(...points);
}

/** By length in bytes: what a shorter form cannot hold. */
const smallest: readonly number[] = [0, 0, 0x80, 0x800, 0x10000];

function lengthOf(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}
