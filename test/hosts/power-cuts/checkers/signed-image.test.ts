import assert from "node:assert/strict";
import { test } from "node:test";
import { signatureDefect } from "../../../../hosts/power-cuts/checkers/signed-image.ts";
import { ProofKey } from "../../../../hosts/power-cuts/images.ts";
import { plainImage, writeImage } from "../../../../src/image/writer.ts";
import { nobleCrypto } from "../../../../src/ports/noble-crypto.ts";

const key = new ProofKey(1);
const written = await writeImage(
  new Uint8Array(5000).fill(7),
  {
    ...plainImage,
    version: { major: 1, minor: 0, revision: 0, build: 0 },
    hardware: "esp32c3-a",
    securityCounter: 4,
  },
  nobleCrypto,
  [key],
);
assert.ok(written.ok);
const file = written.image;

test("finds nothing wrong with an image that our writer signed", () => {
  assert.equal(signatureDefect(file, key.publicPem), null);
});

test("finds every changed byte of what is signed", () => {
  for (const at of [0, 20, 32, 3000, 5031, 5040]) {
    const damaged = file.slice();
    damaged[at]! ^= 1;
    assert.notEqual(signatureDefect(damaged, key.publicPem), null, `byte ${at}`);
  }
});

test("finds a cut end, a longer end and a stranger's key", () => {
  assert.notEqual(signatureDefect(file.subarray(0, file.length - 1), key.publicPem), null);
  assert.notEqual(signatureDefect(new Uint8Array([...file, 0]), key.publicPem), null);
  assert.equal(
    signatureDefect(file, new ProofKey(2).publicPem),
    "is not signed with the device's key",
  );
});
