/**
 * The text of these bytes; null when they are not well-formed UTF-8 (RFC 3629: no overlong form, no
 * surrogate, nothing beyond U+10FFFF). A decoder that replaces what it cannot read would give two
 * files one meaning, so the bytes are looked through before the engine's own decoder gets them.
 */
export function decodeUtf8(bytes: Uint8Array, start: number, end: number): string | null {
  for (let index = start; index < end; ) {
    const length = sequenceBytes(bytes, index, end);
    if (length === 0) return null;
    index += length;
  }
  // The decoder would take the mark away, and with it the difference between two texts.
  let marks = "";
  let from = start;
  while (bytes[from] === 0xef && bytes[from + 1] === 0xbb && bytes[from + 2] === 0xbf) {
    marks += "\ufeff";
    from += 3;
    if (from >= end) break;
  }
  return marks + new TextDecoder().decode(bytes.subarray(from, end));
}

/** By length in bytes: what a shorter form cannot hold. */
const smallest: readonly number[] = [0, 0, 0x80, 0x800, 0x10000];

/** How many bytes the code point has that begins here; 0 when none does. */
function sequenceBytes(bytes: Uint8Array, index: number, end: number): number {
  const first = bytes[index] ?? 0;
  if (first < 0x80) return 1;
  const length = lengthOf(first);
  if (length === 0 || index + length > end) return 0;
  let point = first & (0x7f >> length);
  for (let next = 1; next < length; next += 1) {
    const byte = bytes[index + next] ?? 0;
    if ((byte & 0xc0) !== 0x80) return 0;
    point = (point << 6) | (byte & 0x3f);
  }
  if (point < (smallest[length] ?? 0) || point > 0x10ffff) return 0;
  return point >= 0xd800 && point <= 0xdfff ? 0 : length;
}

function lengthOf(first: number): number {
  if (first < 0xc2) return 0;
  if (first < 0xe0) return 2;
  if (first < 0xf0) return 3;
  return first < 0xf5 ? 4 : 0;
}
