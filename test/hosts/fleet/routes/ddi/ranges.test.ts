import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseRange } from "../../../../../hosts/fleet/routes/files/ranges.ts";

const sizeBytes = 1000;

const satisfied: ReadonlyArray<readonly [string, ReadonlyArray<readonly [number, number]>]> = [
  ["bytes=0-0", [[0, 0]]],
  ["bytes=0-99", [[0, 99]]],
  ["bytes=990-", [[990, 999]]],
  ["bytes=990-2000", [[990, 999]]],
  ["bytes=-10", [[990, 999]]],
  ["bytes=-5000", [[0, 999]]],
  ["Bytes = 0-1", [[0, 1]]],
  [
    "bytes=0-4,10-14, -1",
    [
      [0, 4],
      [10, 14],
      [999, 999],
    ],
  ],
];

const unsatisfiable = [
  "bytes=1000-",
  "bytes=1000-1001",
  "bytes=-0",
  "bytes=9-3",
  "bytes=abc",
  "bytes=",
  "bytes=-",
  "bytes=1-2-3",
  "bytes=0x1-2",
  "bytes=1.5-2",
  "items=0-1",
  "0-1",
  "",
  "bytes=0-4,1000-",
  "bytes=0-4,,5-6",
  "bytes=9999999999999999-",
  `bytes=${Array.from({ length: 17 }, (_, index) => `${index}-${index}`).join(",")}`,
  "bytes=0-999,0-0",
];

for (const [header, ranges] of satisfied)
  test(`reads ${header}`, () => {
    assert.deepEqual(parseRange(header, sizeBytes), {
      kind: "parts",
      ranges: ranges.map(([first, last]) => ({ first, last })),
    });
  });

for (const header of unsatisfiable)
  test(`cannot satisfy "${header.slice(0, 24)}"`, () => {
    assert.deepEqual(parseRange(header, sizeBytes), { kind: "unsatisfiable" });
  });

test("takes no header for the whole file", () => {
  assert.deepEqual(parseRange(undefined, sizeBytes), { kind: "whole" });
});

test("never answers bytes outside the file, nor more than it has", () => {
  const header = fc.oneof(
    fc.string({ unit: fc.constantFrom(..."bytes=,-0123456789 ") }),
    fc
      .array(fc.tuple(fc.nat(1200), fc.nat(1200)), { maxLength: 20 })
      .map((parts) => `bytes=${parts.map(([a, b]) => `${a}-${b}`).join(",")}`),
  );
  fc.assert(
    fc.property(header, fc.integer({ min: 1, max: 1200 }), (text, size) => {
      const wanted = parseRange(text, size);
      if (wanted.kind !== "parts") return;
      let totalBytes = 0;
      for (const { first, last } of wanted.ranges) {
        assert.ok(first >= 0 && first <= last && last < size);
        totalBytes += last - first + 1;
      }
      assert.ok(totalBytes <= size);
    }),
  );
});
