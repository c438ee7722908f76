import { limits } from "../../terms/limits.ts";

/** Bytes of a file, both ends included. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

export type RangeRequest =
  | { readonly kind: "whole" }
  | { readonly kind: "parts"; readonly ranges: readonly [ByteRange, ...ByteRange[]] }
  | { readonly kind: "unsatisfiable" };

/**
 * Reads a `Range` header for a file of `sizeBytes`. A malformed one, another unit, or an inverted
 * range is
 * `unsatisfiable`, as hawkBit answers, where RFC 9110 (14.2) would ignore it: an updater must not
 * get a whole file that it takes for the rest of one.
 */
export function parseRange(header: string | undefined, sizeBytes: number): RangeRequest {
  if (header === undefined) return { kind: "whole" };
  const unsatisfiable = { kind: "unsatisfiable" } as const;
  const list = /^\s*bytes\s*=(.+)$/i.exec(header)?.[1];
  if (list === undefined) return unsatisfiable;
  const parts = list.split(",");
  if (parts.length > limits.rangesPerRequestMax) return unsatisfiable;
  const ranges: ByteRange[] = [];
  for (const part of parts) {
    const range = parsePart(part.trim(), sizeBytes);
    if (range === null) return unsatisfiable;
    ranges.push(range);
  }
  const [first, ...rest] = ranges;
  if (first === undefined) return unsatisfiable;
  // More bytes than the file has is an attack or a mistake, never a resumed download.
  const wantedBytes = ranges.reduce((sum, range) => sum + range.last - range.first + 1, 0);
  return wantedBytes > sizeBytes ? unsatisfiable : { kind: "parts", ranges: [first, ...rest] };
}

function parsePart(text: string, sizeBytes: number): ByteRange | null {
  const match = /^(\d{0,15})-(\d{0,15})$/.exec(text);
  const [, from = "", to = ""] = match ?? [];
  if (match === null || (from === "" && to === "")) return null;
  if (from === "") {
    const suffixBytes = Math.min(Number(to), sizeBytes);
    return suffixBytes === 0 ? null : { first: sizeBytes - suffixBytes, last: sizeBytes - 1 };
  }
  const first = Number(from);
  const last = to === "" ? sizeBytes - 1 : Math.min(Number(to), sizeBytes - 1);
  return first >= sizeBytes || first > last ? null : { first, last };
}
