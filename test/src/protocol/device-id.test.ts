import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { deviceIdPattern } from "../../../hosts/fleet/terms/names.ts";
import { isDeviceId } from "../../../src/protocol/device-id.ts";

for (const [text, is] of [
  ["kitchen", true],
  ["aa:bb:cc:dd:ee:ff", true],
  ["AA-BB-CC-DD-EE-FF", true],
  ["9f1b2c3d-0000-4000-8000-0123456789ab", true],
  ["7", true],
  ["a".repeat(64), true],
  ["a".repeat(65), false],
  ["", false],
  ["-a", false],
  [".", false],
  ["_a", false],
  [":a", false],
  ["a b", false],
  ["a/b", false],
  ["a%2fb", false],
  ["a\n", false],
  ["ä", false],
] as const)
  test(`${JSON.stringify(text)} is ${is ? "a" : "no"} device id`, () => {
    assert.equal(isDeviceId(text), is);
  });

test("the pattern of the OpenAPI document is the same grammar", () => {
  const expression = new RegExp(deviceIdPattern);
  const text = fc.string({ unit: fc.constantFrom(..."aZ09._:-/% \n$é"), maxLength: 70 });
  fc.assert(fc.property(text, (id) => expression.test(id) === isDeviceId(id)));
});
