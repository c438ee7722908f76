// What a device asked for of a file, as the server saw it.

/** First and last byte of a Range header. */
export function parseRange(range: string): readonly [number, number] {
  const match = /^bytes=(\d+)-(\d+)$/.exec(range);
  if (match === null) throw new Error(`a range without its two ends: "${range}"`);
  return [Number(match[1]), Number(match[2])];
}

/** How many bytes `after` asks for that `before` or an earlier range of it asked for. */
export function askedAgainBytes(before: readonly string[], after: readonly string[]): number {
  const ranges = [...before, ...after].map(parseRange);
  const asked = new Uint8Array(Math.max(0, ...ranges.map(([, last]) => last + 1)));
  let again = 0;
  for (const [index, [first, last]] of ranges.entries())
    for (let byte = first; byte <= last; byte += 1) {
      if (index >= before.length) again += asked[byte] ?? 0;
      asked[byte] = 1;
    }
  return again;
}

/**
 * The ranges of a download, which begins at 0 and goes on where a range ended or before, without those by which the
 * device looked at the two ends of the file first.
 */
export function downloadRanges(ranges: readonly string[]): string[] {
  let end = 0;
  return ranges.filter((range) => {
    const [first, last] = parseRange(range);
    const isHeader = first === 0 && last < headerBytesMax;
    if (isHeader || first > end) return false;
    end = Math.max(end, last + 1);
    return true;
  });
}

/** Where a download stands: behind the last byte that was asked for. */
export function askedUpToBytes(ranges: readonly string[]): number {
  const ends = downloadRanges(ranges).map((range) => parseRange(range)[1] + 1);
  return Math.max(0, ...ends);
}

const headerBytesMax = 4096;
