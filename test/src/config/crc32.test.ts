import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 as zlibCrc32 } from "node:zlib";
import fc from "fast-check";
import { crc32 } from "../../../src/config/crc32.ts";

test("gives the check value that every catalogue of CRCs names for CRC-32", () => {
  assert.equal(crc32(new TextEncoder().encode("123456789")), 0xcbf43926);
});

test("gives what zlib gives, in parts as in one", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (bytes, at) => {
      const whole = zlibCrc32(bytes);
      assert.equal(crc32(bytes), whole);
      assert.equal(crc32(bytes.subarray(at), crc32(bytes.subarray(0, at))), whole);
    }),
  );
});
