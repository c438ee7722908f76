import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { nodeTrustCrypto } from "../../../hosts/release/trust/node-trust-crypto.ts";
import { fromHex } from "../../../src/image/hex.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { p256TrustCrypto } from "../../../src/trust/p256-crypto.ts";
import { type PublicKey, SignedPayload } from "../../../src/trust/trust-crypto.ts";
import { signatureOf, testKey } from "../../support/tuf-repository.ts";

const key = testKey(0);
const pem = (key.json["keyval"] as { readonly public: string }).public;
const publicKey: PublicKey = { keyType: "ecdsa", scheme: "ecdsa-sha2-nistp256", public: pem };
const payload = new SignedPayload({ a: 1, text: 'é"\\' });
const signature = fromHex(signatureOf(payload.bytes(), key)) ?? new Uint8Array(0);

for (const [name, crypto] of [
  ["the device's provider", p256TrustCrypto(nobleCrypto)],
  ["Node's provider", nodeTrustCrypto],
] as const) {
  const verify = (change: Partial<PublicKey>, bytes = signature): boolean =>
    crypto.verify({ ...publicKey, ...change }, payload, bytes);

  test(`${name} verifies what the key signed`, () => {
    assert.ok(verify({}));
    assert.ok(verify({ keyType: "ecdsa-sha2-nistp256" }));
    assert.ok(!verify({ public: (testKey(1).json["keyval"] as { public: string }).public }));
    assert.ok(!crypto.verify(publicKey, new SignedPayload({ a: 2 }), signature));
  });

  test(`${name} takes a PEM in any layout, and no other text`, () => {
    assert.ok(verify({ public: pem.trim() }));
    assert.ok(verify({ public: pem.replaceAll("\n", "\r\n") }));
    const line = pem.split("\n")[2] ?? "";
    const shorter = pem.replace(line, line.slice(0, -8));
    for (const text of ["", "x", line, shorter, pem.replace("PUBLIC", "OTHER"), pem.slice(0, 90)])
      assert.ok(!verify({ public: text }), text);
  });

  test(`${name} answers false for a signature that is none`, () => {
    for (const bytes of [[], [0x30], [0x30, 0x00], Array(72).fill(0), Array(64).fill(1)])
      assert.ok(!verify({}, Uint8Array.from(bytes)));
    assert.ok(!verify({}, signature.slice(0, -1)));
    assert.ok(!verify({}, Uint8Array.of(...signature, 0)));
  });

  test(`${name} answers false for key types and schemes that it does not have`, () => {
    assert.ok(!verify({ keyType: "dsa" }));
    assert.ok(!verify({ scheme: "ecdsa-sha2-nistp384" }));
    assert.ok(!verify({ keyType: "rsa", scheme: "rsassa-pss-sha256" }));
    assert.ok(!verify({ keyType: "ed25519", scheme: "ed25519" }));
  });
}

test("the device has SHA-256 and no other hash; a host has SHA-512 too", () => {
  const device = p256TrustCrypto(nobleCrypto);
  assert.deepEqual([device.hasher("sha512"), device.hasher("md5")], [null, null]);
  assert.equal(device.hasher("sha256")?.digest().length, 32);
  assert.equal(nodeTrustCrypto.hasher("sha512")?.digest().length, 64);
  assert.equal(nodeTrustCrypto.hasher("md5"), null);
});

test("keys of another curve, and RSA keys that are too short, are none", () => {
  const pemOf = (made: { publicKey: { export(options: object): unknown } }): string =>
    String(made.publicKey.export({ format: "pem", type: "spki" }));
  const curve = pemOf(generateKeyPairSync("ec", { namedCurve: "secp384r1" }));
  const short = pemOf(generateKeyPairSync("rsa", { modulusLength: 1024 }));
  for (const crypto of [p256TrustCrypto(nobleCrypto), nodeTrustCrypto])
    assert.ok(!crypto.verify({ ...publicKey, public: curve }, payload, signature));
  const rsa = { keyType: "rsa", scheme: "rsassa-pss-sha256", public: short };
  assert.ok(!nodeTrustCrypto.verify(rsa, payload, new Uint8Array(128)));
});
