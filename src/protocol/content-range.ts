import { digits, letters, type Part, partsAtStart } from "../image/text-parts.ts";

/** What a part of a file is of it (RFC 9110, 14.4). */
export interface ContentRange {
  readonly firstBytes: number;
  /** The offset of the last byte, which belongs to the range. */
  readonly lastBytes: number;
  /** Null when the server does not tell. */
  readonly totalBytes: number | null;
}

const number: Part = [digits, 1, 15];
const spaces: Part = [" \t", 0, 8];
const range: readonly Part[] = [[letters, 5, 5], [" \t", 1, 8], number, "-", number, spaces, "/"];

/** Null for anything but one satisfied range in bytes; a unit may be in any case. */
export function parseContentRange(text: string): ContentRange | null {
  const start = partsAtStart(text, range);
  if (start === null) return null;
  const [unit = "", , first, last] = start.parts;
  const total = text.slice(start.length).trim();
  const isTotal = total === "*" || partsAtStart(total, [number])?.length === total.length;
  const [firstBytes, lastBytes] = [Number(first), Number(last)];
  const totalBytes = total === "*" ? null : Number(total);
  if (unit.toLowerCase() !== "bytes" || !isTotal || lastBytes < firstBytes) return null;
  if (totalBytes !== null && lastBytes >= totalBytes) return null;
  return { firstBytes, lastBytes, totalBytes };
}
