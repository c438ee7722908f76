import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  credentialsBytesMax,
  encodeCredentials,
  parseCredentials,
  readCredentials,
  type TlsCredentials,
  writeCredentials,
} from "../../../src/tls/credentials.ts";
import { MemoryKeyValue } from "../../support/memory-key-value.ts";

const authorityAlone: TlsCredentials = { authorities: [Uint8Array.of(1, 2, 3)], client: null };
const withClient: TlsCredentials = {
  authorities: [new Uint8Array(700).fill(1), new Uint8Array(600).fill(2)],
  client: {
    certificates: [new Uint8Array(800).fill(3)],
    privateKey: new Uint8Array(32).fill(4),
  },
};
const headBytes = 3;

test("writes and reads credentials that take several values of the storage", () => {
  const storage = new MemoryKeyValue();
  for (const credentials of [authorityAlone, withClient]) {
    writeCredentials(storage, credentials);
    assert.deepEqual(readCredentials(storage), credentials);
  }
});

test("reads none from a device that was given none", () => {
  assert.equal(readCredentials(new MemoryKeyValue()), null);
});

test("encodes an authority as its kind, its length and its bytes", () => {
  assert.deepEqual([...encodeCredentials(authorityAlone)], [1, 3, 0, 1, 2, 3]);
});

test("refuses every truncation, but one that ends behind the authorities", () => {
  const bytes = encodeCredentials(withClient);
  const [first, second] = withClient.authorities.map((der) => headBytes + der.length);
  const whole = [first, first! + second!];
  for (let length = 0; length < bytes.length; length += 1)
    if (!whole.includes(length)) assert.equal(parseCredentials(bytes.slice(0, length)), null);
});

const key = new Uint8Array(32);
for (const [name, client] of [
  ["a certificate without a key", { certificates: [key], privateKey: new Uint8Array(0) }],
  ["a key without a certificate", { certificates: [], privateKey: key }],
  ["a key of 31 bytes", { certificates: [key], privateKey: key.slice(1) }],
  ["four certificates of a client", { certificates: [key, key, key, key], privateKey: key }],
] as const)
  test(`refuses ${name}`, () => {
    const bytes = encodeCredentials({ ...authorityAlone, client });
    assert.equal(parseCredentials(bytes), null);
  });

test("refuses no authority, five of them, an unknown item and a second key", () => {
  const { authorities } = authorityAlone;
  const five = authorities.concat(authorities, authorities, authorities, authorities);
  const bytes = encodeCredentials(withClient);
  for (const refused of [
    encodeCredentials({ authorities: [], client: null }),
    encodeCredentials({ authorities: five, client: null }),
    Uint8Array.of(...encodeCredentials(authorityAlone), 9, 0, 0),
    Uint8Array.of(...bytes, ...bytes.slice(-(headBytes + 32))),
  ])
    assert.equal(parseCredentials(refused), null);
});

test("reads random bytes without a throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: credentialsBytesMax }), (bytes) => {
      const parsed = parseCredentials(bytes);
      assert.ok(parsed === null || parsed.authorities.length > 0);
    }),
  );
});
