import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isIntelHex, readIntelHex } from "../../../../hosts/release/payload/intel-hex.ts";

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

function record(type: number, offset: number, data: Uint8Array): string {
  const bytes = [data.length, offset >> 8, offset & 0xff, type, ...data];
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  return `:${Buffer.from([...bytes, -sum & 0xff])
    .toString("hex")
    .toUpperCase()}`;
}

/** Data at an address, by records of at most 255 bytes that stay within 64 KiB. */
function hexOf(parts: ReadonlyArray<readonly [number, Uint8Array]>, end = "\r\n"): Uint8Array {
  const lines: string[] = [];
  for (const [start, bytes] of parts)
    for (let at = 0; at < bytes.length; ) {
      const address = start + at;
      const count = Math.min(bytes.length - at, 255, 0x1_0000 - (address % 0x1_0000));
      lines.push(record(4, 0, Uint8Array.of(address >>> 24, (address >>> 16) & 0xff)));
      lines.push(record(0, address & 0xffff, bytes.subarray(at, at + count)));
      at += count;
    }
  return text(
    [...lines, record(5, 0, Uint8Array.of(0x42, 0, 0, 0)), record(1, 0, new Uint8Array())].join(
      end,
    ),
  );
}

test("reads back any data at any address, across 64 KiB, gaps filled with 0xff", () => {
  const parts = fc.uint8Array({ minLength: 1, maxLength: 700 });
  const property = fc.property(
    fc.integer({ min: 0, max: 0xfff_0000 }),
    parts,
    fc.integer({ min: 0, max: 70_000 }),
    parts,
    fc.constantFrom("\n", "\r\n", "\r"),
    (start, first, gap, second, end) => {
      const at = start + first.length + gap;
      const read = readIntelHex(
        hexOf(
          [
            [at, second],
            [start, first],
          ],
          end,
        ),
      );
      assert.ok(read.ok, read.ok ? "" : read.problem);
      assert.equal(read.baseAddress, start);
      assert.equal(read.gapBytes, gap);
      const wanted = Buffer.concat([first, Buffer.alloc(gap, 0xff), second]);
      assert.ok(wanted.equals(read.bytes));
    },
  );
  fc.assert(property, { numRuns: 50 });
});

test("adds the segments of 16-bit parts as they were meant", () => {
  const lines = [record(2, 0, Uint8Array.of(0x10, 0)), record(0, 2, Uint8Array.of(7))];
  const read = readIntelHex(text([...lines, record(1, 0, new Uint8Array())].join("\n")));
  assert.ok(read.ok);
  assert.equal(read.baseAddress, 0x1_0002);
});

const good = new TextDecoder().decode(
  hexOf([[0x1000, Uint8Array.from({ length: 600 }, (_, i) => i & 0xff)]], "\n"),
);
const lines = good.split("\n");

const bad: ReadonlyArray<readonly [string, string, number, RegExp]> = [
  ["a wrong checksum", good.replace(lines[1]!, `${lines[1]!.slice(0, -2)}00`), 2, /checksum/],
  ["a line that is none", good.replace(lines[1]!, "hello"), 2, /no record/],
  ["half a record", good.replace(lines[1]!, lines[1]!.slice(0, -6)), 2, /length says/],
  ["half a byte", good.replace(lines[1]!, lines[1]!.slice(0, -1)), 2, /no record/],
  [
    "a record type of no meaning",
    `${record(9, 0, new Uint8Array())}\n${good}`,
    1,
    /no record type 9/,
  ],
  [
    "an address of three bytes",
    `${record(4, 0, new Uint8Array(3))}\n${good}`,
    1,
    /has 2 bytes, not 3/,
  ],
  ["no end record", lines.slice(0, -1).join("\n"), 7, /cut off/],
  ["more behind the end", `${good}\n${lines[1]}`, 9, /behind the end/],
  ["records that overlap", `${lines.slice(0, 2).join("\n")}\n${good}`, 4, /over that of another/],
  ["no data", record(1, 0, new Uint8Array()), 1, /no data/],
];
for (const [name, file, line, problem] of bad)
  test(`refuses ${name}, with the line`, () => {
    const read = readIntelHex(text(file));
    assert.ok(!read.ok);
    assert.match(read.problem, problem);
    assert.equal(read.line, line);
  });

test("refuses data that reaches over more than an image has, without making room for it", () => {
  const far = hexOf([
    [0, Uint8Array.of(1)],
    [0xf000_0000 >>> 0, Uint8Array.of(2)],
  ]);
  const read = readIntelHex(far);
  assert.ok(!read.ok && /reaches over 4026531841 bytes/.test(read.problem));
});

test("is recognised by how a record begins, not by a colon", () => {
  assert.ok(isIntelHex(text(good)));
  assert.ok(isIntelHex(text(`\n\n${good}`)));
  for (const other of [":", ":1", ":::::", ":zz", ":000000000", "import x", ": 00000001FF"])
    assert.ok(!isIntelHex(text(other)), other);
});
