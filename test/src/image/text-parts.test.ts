import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  anyHex,
  digits,
  isOf,
  lowerHex,
  partsAtStart,
  partsOf,
  withOnly,
} from "../../../src/image/text-parts.ts";

test("takes characters one by one and in ranges, with their limits", () => {
  for (const text of ["0", "9", "a", "f"]) assert.ok(isOf(text, lowerHex, 1), text);
  for (const text of ["/", ":", "`", "g", "A", ""]) assert.ok(!isOf(text, lowerHex, 1), text);
  assert.ok(isOf("-", "a-z-", 1) && isOf("-", "-az", 1) && !isOf("b", "-az", 1));
});

test("counts from the least to the most, both included", () => {
  assert.deepEqual(
    ["", "1", "12", "123", "1234"].map((text) => isOf(text, digits, 1, 3)),
    [false, true, true, true, false],
  );
});

test("says of every text what a regular expression says", () => {
  const text = fc.string({ unit: fc.constantFrom(..."09afAFg-._/é\u{1f600}"), maxLength: 6 });
  fc.assert(
    fc.property(text, (any) => {
      assert.equal(isOf(any, anyHex, 1, 4), /^[0-9a-fA-F]{1,4}$/.test(any));
      assert.equal(isOf(any, "a-f0-9._-", 0, 6), /^[a-f0-9._-]{0,6}$/.test(any));
      assert.equal(withOnly(any, "a-f0-9._-"), any.replace(/[^a-f0-9._-]/g, "?"));
      const match = /^([a-f]{1,2})-(\d{0,3})$/.exec(any);
      const parts = partsOf(any, [["a-f", 1, 2], "-", [digits, 0, 3]]);
      assert.deepEqual(parts, match === null ? null : match.slice(1));
    }),
  );
});

test("a part gives back nothing of what it took to a later one", () => {
  assert.equal(partsOf("123", [[digits, 1, 3], "3"]), null);
});

test("tells how much of a longer text it took", () => {
  const taken = partsAtStart("12:30 and more", [[digits, 2, 2], ":", [digits, 2, 2]]);
  assert.deepEqual(taken, { parts: ["12", "30"], length: 5 });
  assert.equal(partsAtStart("12", [[digits, 2, 2], ":"]), null);
});
