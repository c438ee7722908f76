import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { element, nameOf, objectId } from "../../../hosts/release/certificates.ts";
import { isSameName } from "../../../src/tls/distinguished-name.ts";

const utf8 = 0x0c;
const printable = 0x13;
const bmp = 0x1e;

const pairs: readonly (readonly [string, Uint8Array, Uint8Array, boolean])[] = [
  ["the same text", nameOf("Fleet"), nameOf("Fleet"), true],
  ["another text", nameOf("Fleet"), nameOf("Fleets"), false],
  ["another string type", nameOf("Fleet", utf8), nameOf("Fleet", printable), true],
  ["a string type of two bytes", nameOf("Fleet", utf8), nameOf("Fleet", bmp), false],
  ["the same in it", nameOf("Fleet", bmp), nameOf("Fleet", bmp), true],
  ["another case", nameOf("Fleet"), nameOf("fLEET"), true],
  ["another case beyond ASCII", nameOf("Ä"), nameOf("ä"), false],
  ["spaces around", nameOf("Fleet"), nameOf("  Fleet  "), true],
  ["more spaces between", nameOf("The Fleet"), nameOf("The   Fleet"), true],
  ["no space between", nameOf("The Fleet"), nameOf("TheFleet"), false],
  ["spaces alone", nameOf(" "), nameOf(""), true],
  ["no attribute", nameOf("Fleet"), element(0x30), false],
];
for (const [what, one, other, isSame] of pairs)
  test(`takes names with ${what} for ${isSame ? "the same" : "two"}`, () => {
    assert.equal(isSameName(one, other), isSame);
    assert.equal(isSameName(other, one), isSame);
  });

test("takes the same text of another attribute for another name", () => {
  const attribute = (id: readonly number[]) =>
    element(0x30, element(0x31, element(0x30, objectId(id), element(utf8, Buffer.from("X")))));
  assert.ok(!isSameName(attribute([0x55, 4, 3]), attribute([0x55, 4, 10])));
});

test("never throws, and takes no bytes for a name that begins otherwise", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.uint8Array({ maxLength: 60 }),
      (one, other) => {
        const isSame = isSameName(one, other);
        assert.equal(isSameName(other, one), isSame);
        assert.ok(isSameName(one, one));
      },
    ),
  );
});
