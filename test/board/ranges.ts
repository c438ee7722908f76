// What a device asked for of a file, as the server saw it.

/** First and last byte of a Range header. */
export function parseRange(range: string): readonly [number, number] {
  const match = /^bytes=(\d+)-(\d+)$/.exec(range);
  if (match === null) throw new Error(`a range without its two ends: "${range}"`);
  return [Number(match[1]), Number(match[2])];
}

/** How many of the bytes that `before` asks for `after` asks for too. */
export function askedAgainBytes(before: readonly string[], after: readonly string[]): number {
  const asked = marked(before);
  const again = marked(after);
  let bytes = 0;
  for (let byte = 0; byte < Math.min(asked.length, again.length); byte += 1)
    if ((asked[byte] ?? 0) > 0 && (again[byte] ?? 0) > 0) bytes += 1;
  return bytes;
}

/** How many bytes are asked for beyond those that are asked for once. */
export function askedTwiceBytes(ranges: readonly string[]): number {
  return marked(ranges).reduce((sum, times) => sum + Math.max(0, times - 1), 0);
}

/** How often each byte is asked for. */
function marked(ranges: readonly string[]): Uint8Array {
  const parsed = ranges.map(parseRange);
  const times = new Uint8Array(Math.max(0, ...parsed.map(([, last]) => last + 1)));
  for (const [first, last] of parsed)
    for (let byte = first; byte <= last; byte += 1) times[byte] = (times[byte] ?? 0) + 1;
  return times;
}

/**
 * The ranges of a download, which begins at 0 and goes on where a range ended or before, without
 * those by which the device looked at the two ends of the file first.
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
