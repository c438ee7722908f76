import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { signatureFromDer } from "../../../src/image/signature.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { p256DerVectors } from "./p256-der-vectors.ts";
import { p256Good, p256Vectors } from "./p256-vectors.ts";

for (const { name, publicKey, digest, signature, valid } of p256Vectors)
  test(`answers ${valid} for ${name}`, () => {
    assert.equal(nobleCrypto.verifyP256(publicKey, digest, signature), valid);
  });

for (const { name, der, valid } of p256DerVectors)
  test(`counts DER of ${name} as ${valid ? "good" : "none"}`, () => {
    const read = signatureFromDer(der);
    const { publicKey, digest } = p256Good;
    assert.equal(read.ok && nobleCrypto.verifyP256(publicKey, digest, read.raw), valid);
  });

test("hashes in parts as it hashes the whole", () => {
  const bytes = Uint8Array.from({ length: 1000 }, (_, index) => index);
  const hasher = nobleCrypto.sha256();
  for (let offset = 0; offset < bytes.length; offset += 77)
    hasher.update(bytes.subarray(offset, offset + 77));
  assert.deepEqual([...hasher.digest()], [...createHash("sha256").update(bytes).digest()]);
});

test("hashes nothing to the digest of nothing", () => {
  const digest = createHash("sha256").digest();
  assert.deepEqual([...nobleCrypto.sha256().digest()], [...digest]);
});
