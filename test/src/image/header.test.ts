import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  encodeImageHeader,
  type ImageHeader,
  imageHeaderBytes,
  parseImageHeader,
} from "../../../src/image/header.ts";
import { fromHex, toHex } from "../../../src/image/hex.ts";

const vectors: ReadonlyArray<{ name: string; header: ImageHeader; hex: string }> = [
  {
    name: "the smallest header",
    header: {
      loadAddress: 0,
      headerBytes: 32,
      protectedTlvBytes: 0,
      payloadBytes: 0,
      flags: 0,
      version: { major: 0, minor: 0, revision: 0, build: 0 },
    },
    hex: `3db8f396${"00000000"}2000${"0000"}${"00000000"}${"00000000"}${"0000000000000000"}00000000`,
  },
  {
    name: "every field at its own value",
    header: {
      loadAddress: 0x04030201,
      headerBytes: 0x0605,
      protectedTlvBytes: 0x0807,
      payloadBytes: 0x0c0b0a09,
      flags: 0x100f0e0d,
      version: { major: 0x11, minor: 0x12, revision: 0x1413, build: 0x18171615 },
    },
    hex: "3db8f3960102030405060708090a0b0c0d0e0f10111213141516171800000000",
  },
];

for (const { name, header, hex } of vectors) {
  test(`writes and reads ${name}`, () => {
    assert.equal(toHex(encodeImageHeader(header)), hex);
    assert.deepEqual(parseImageHeader(fromHex(hex) as Uint8Array), { ok: true, header });
  });
}

test("refuses every truncation", () => {
  const bytes = fromHex(vectors[1]?.hex ?? "") as Uint8Array;
  for (let length = 0; length < imageHeaderBytes; length += 1)
    assert.deepEqual(parseImageHeader(bytes.subarray(0, length)), {
      ok: false,
      reason: "header-truncated",
    });
});

test("tells erased flash from another magic, and refuses a header that is smaller than itself", () => {
  const bytes = fromHex(vectors[0]?.hex ?? "") as Uint8Array;
  const refusal = (index: number, value: number[]) => {
    const changed = bytes.slice();
    changed.set(value, index);
    return parseImageHeader(changed);
  };
  assert.deepEqual(refusal(0, [0xff, 0xff, 0xff, 0xff]), { ok: false, reason: "header-erased" });
  assert.deepEqual(refusal(0, [0x3c]), { ok: false, reason: "header-magic" });
  assert.deepEqual(refusal(8, [31, 0]), { ok: false, reason: "header-size" });
});

test("reads random bytes as a header or a typed refusal", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const parsed = parseImageHeader(bytes);
      assert.ok(parsed.ok || typeof parsed.reason === "string");
    }),
  );
});

test("throws on a field that its width cannot hold", () => {
  const header = vectors[0]?.header as ImageHeader;
  assert.throws(() => encodeImageHeader({ ...header, headerBytes: 65536 }), /headerBytes is 65536/);
  assert.throws(() => encodeImageHeader({ ...header, payloadBytes: -1 }), /payloadBytes is -1/);
  const version = { ...header.version, minor: 256 };
  assert.throws(() => encodeImageHeader({ ...header, version }), /version .*256/);
});
