import assert from "node:assert/strict";
import { test } from "node:test";
import { digestHex, parseDigestHex } from "../../../src/protocol/digest.ts";

test("writes 32 bytes as 64 digits and takes them back", () => {
  const text = digestHex(Uint8Array.from({ length: 32 }, (_, index) => index));
  assert.equal(text, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  assert.equal(parseDigestHex(text), text);
});

const digits = "0123456789abcdef".repeat(4);
for (const text of [null, "", digits.slice(1), `${digits}0`, digits.toUpperCase(), `${digits}\n`])
  test(`takes ${JSON.stringify(text)} for no digest`, () => {
    assert.equal(parseDigestHex(text), null);
  });
