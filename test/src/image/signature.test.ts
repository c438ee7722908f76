import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex, toHex } from "../../../src/image/hex.ts";
import {
  derSequenceBytes,
  signatureFromDer,
  signatureToDer,
} from "../../../src/image/signature.ts";

const bytes = (hex: string): Uint8Array => fromHex(hex.replaceAll(" ", "")) as Uint8Array;
const zeros = (count: number): string => "00".repeat(count);

const vectors: ReadonlyArray<{ name: string; raw: string; der: string }> = [
  {
    name: "r and s of one byte",
    raw: `${zeros(31)}01${zeros(31)}7f`,
    der: "3006 020101 02017f",
  },
  {
    name: "a leading zero before a high bit",
    raw: `${zeros(31)}80${"ff".repeat(32)}`,
    der: `3027 02020080 022100${"ff".repeat(32)}`,
  },
  {
    name: "32 bytes without a high bit",
    raw: `${"7e".repeat(32)}${"01".repeat(32)}`,
    der: `3044 0220${"7e".repeat(32)} 0220${"01".repeat(32)}`,
  },
];

for (const { name, raw, der } of vectors) {
  test(`writes and reads ${name}`, () => {
    assert.equal(toHex(signatureToDer(bytes(raw))), der.replaceAll(" ", ""));
    assert.deepEqual(signatureFromDer(bytes(der)), { ok: true, raw: bytes(raw) });
  });
}

test("refuses what is not strict DER", () => {
  const refused: Readonly<Record<string, string>> = {
    "an empty value": "",
    "another tag": "3106 020101 02017f",
    "a byte after the sequence": "3006 020101 02017f 00",
    "a byte after s inside the sequence": "3007 020101 02017f 00",
    "a long length": "308106 020101 02017f",
    "an indefinite length": "3080 020101 02017f 0000",
    "a negative r": "3006 020181 02017f",
    "r of zero": "3006 020100 02017f",
    "an empty r": "3005 0200 02017f",
    "a needless leading zero": "3007 02020001 02017f",
    "r of 33 bytes": `3026 0221${"01".repeat(33)} 020101`,
    "only r": "3003 020101",
    "s that leaves the sequence": "3006 020101 02027f",
  };
  for (const [name, hex] of Object.entries(refused))
    assert.deepEqual(signatureFromDer(bytes(hex)), { ok: false, reason: "signature-der" }, name);
});

test("refuses every truncation", () => {
  const der = bytes(vectors[1]?.der ?? "");
  for (let length = 0; length < der.length; length += 1)
    assert.equal(signatureFromDer(der.subarray(0, length)).ok, false);
});

test("finds the end of the sequence before the zeros that old tools append", () => {
  assert.equal(derSequenceBytes(bytes("3006 020101 02017f 0000")), 8);
  assert.equal(derSequenceBytes(bytes("3006 020101")), null);
  assert.equal(derSequenceBytes(bytes("30")), null);
});

test("any r and s survive both ways, and what reads writes the same bytes again", () => {
  const scalar = fc
    .uint8Array({ minLength: 32, maxLength: 32 })
    .filter((b) => b.some((x) => x !== 0));
  fc.assert(
    fc.property(scalar, scalar, (r, s) => {
      const raw = Uint8Array.of(...r, ...s);
      assert.deepEqual(signatureFromDer(signatureToDer(raw)), { ok: true, raw });
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (der) => {
      const read = signatureFromDer(der);
      if (read.ok) assert.deepEqual(signatureToDer(read.raw), der);
    }),
  );
});
