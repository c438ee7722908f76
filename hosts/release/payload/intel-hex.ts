import { imageBytesLargest } from "../../../src/image/info.ts";

export type HexResult =
  | {
      readonly ok: true;
      /** From the lowest address to the highest, gaps filled with 0xff as erased flash reads. */
      readonly bytes: Uint8Array;
      /** The lowest address, where imgtool would put the image. */
      readonly baseAddress: number;
      readonly gapBytes: number;
    }
  | { readonly ok: false; readonly line: number; readonly problem: string };

interface Extent {
  readonly address: number;
  readonly bytes: Uint8Array;
  readonly line: number;
}

/** Does it begin as a record does? A damaged one is for `readIntelHex` to tell, not a binary. */
export function isIntelHex(bytes: Uint8Array): boolean {
  const start = Buffer.from(bytes.subarray(0, lineCharactersMax + 8)).toString("latin1");
  const [first = ""] = withoutMark(start)
    .trimStart()
    .split(/\r\n|\r|\n/, 1);
  return /^:[0-9a-fA-F]{10,}\s*$/.test(first);
}

/**
 * Reads Intel HEX (the specification of 1988, record types 0 to 5) as imgtool does: data by
 * address, start addresses passed over. Refused: checksums that are wrong, records that overlap, a
 * file that was cut off before its end record, and more than 16 MiB from the first address to the
 * last.
 */
export function readIntelHex(file: Uint8Array): HexResult {
  const lines = withoutMark(Buffer.from(file).toString("latin1")).split(/\r\n|\r|\n/);
  const extents: Extent[] = [];
  let upper = 0;
  let isEnded = false;
  for (const [index, text] of lines.entries()) {
    const refuse = (problem: string) => ({ ok: false, line: index + 1, problem }) as const;
    if (text.trim() === "") continue;
    if (isEnded) return refuse("there is more behind the end record");
    const record = recordOf(text.trim());
    if (typeof record === "string") return refuse(record);
    const { type, offset, data } = record;
    if (type === recordTypes.data && data.length > 0)
      extents.push({ address: upper + offset, bytes: data, line: index + 1 });
    else if (type === recordTypes.end) isEnded = true;
    else if (type === recordTypes.segment) upper = numberIn(data) * 16;
    else if (type === recordTypes.linear) upper = numberIn(data) * 0x1_0000;
  }
  if (!isEnded)
    return { ok: false, line: lines.length, problem: "there is no end record: it is cut off" };
  return joined(extents);
}

/** Some editors begin a text in UTF-8 with a mark, here as bytes. */
export function withoutMark(text: string): string {
  return text.replace(/^\xef\xbb\xbf/, "");
}

const recordTypes = { data: 0, end: 1, segment: 2, linear: 4 } as const;
/** How much data each type has; type 0 has any. */
const dataBytesOf: Readonly<Record<number, number>> = { 1: 0, 2: 2, 3: 4, 4: 2, 5: 4 };
const lineCharactersMax = 1 + 2 * (255 + 5);

interface HexRecord {
  readonly type: number;
  readonly offset: number;
  readonly data: Uint8Array;
}

/** One record, or what is wrong with it. */
function recordOf(line: string): HexRecord | string {
  if (!/^:(?:[0-9a-fA-F]{2}){5,260}$/.test(line)) return "it is no record";
  const bytes = Buffer.from(line.slice(1), "hex");
  const [count = 0, high = 0, low = 0, type = 0] = bytes;
  if (bytes.length !== count + 5)
    return `its length says ${count} bytes, ${bytes.length - 5} are there`;
  if (bytes.reduce((sum, byte) => sum + byte, 0) % 256 !== 0) return "its checksum is wrong";
  const wanted = type === recordTypes.data ? count : dataBytesOf[type];
  if (wanted === undefined) return `there is no record type ${type}`;
  if (count !== wanted) return `a record of type ${type} has ${wanted} bytes, not ${count}`;
  return { type, offset: high * 256 + low, data: bytes.subarray(4, 4 + count) };
}

function numberIn(data: Uint8Array): number {
  return data.reduce((number, byte) => number * 256 + byte, 0);
}

function joined(extents: readonly Extent[]): HexResult {
  const sorted = [...extents].sort((a, b) => a.address - b.address);
  const [first] = sorted;
  const last = sorted.at(-1);
  if (first === undefined || last === undefined)
    return { ok: false, line: 1, problem: "it holds no data" };
  const baseAddress = first.address;
  const spanBytes = last.address + last.bytes.length - baseAddress;
  if (spanBytes > imageBytesLargest)
    return {
      ok: false,
      line: last.line,
      problem: `its data reaches over ${spanBytes} bytes, from 0x${baseAddress.toString(16)} on; an image has at most ${imageBytesLargest}`,
    };
  const bytes = new Uint8Array(spanBytes).fill(0xff);
  let end = baseAddress;
  let gapBytes = 0;
  for (const extent of sorted) {
    if (extent.address < end)
      return { ok: false, line: extent.line, problem: "its data lies over that of another record" };
    gapBytes += extent.address - end;
    bytes.set(extent.bytes, extent.address - baseAddress);
    end = extent.address + extent.bytes.length;
  }
  return { ok: true, bytes, baseAddress, gapBytes };
}
