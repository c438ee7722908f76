import assert from "node:assert/strict";
import { createHash, createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { test } from "node:test";
import { nodeCrypto, nodeVerifyEd25519 } from "../../../hosts/release/node-crypto.ts";
import {
  createKeyPair,
  publicPemFromPem,
  signerFromPem,
  trustedKeyFromPem,
} from "../../../hosts/release/pem-keys.ts";
import { type SignRequest, signImage } from "../../../hosts/release/sign.ts";
import { toHex } from "../../../src/image/hex.ts";
import { readImageInfo } from "../../../src/image/info.ts";
import { bytesSource } from "../../../src/image/source.ts";
import { verifyImage } from "../../../src/image/verify.ts";
import { plainImage } from "../../../src/image/writer.ts";
import { testSigner } from "../../support/image-signer.ts";

const request: SignRequest = {
  payload: new Uint8Array(1000).fill(7),
  options: { ...plainImage, version: { major: 1, minor: 0, revision: 0, build: 0 } },
  signers: [testSigner(1)],
  slot: { slotBytes: 65536, sectorBytes: 4096, writeBlockBytes: 4, maxAlignBytes: 8 },
  form: "file",
};

test("tells both hashes and the room in the slot", async () => {
  const result = await signImage(request);
  assert.ok(result.ok);
  const { image, imageHash, fileHash, imageBytesMax } = result.signed;
  const read = readImageInfo(bytesSource(image));
  assert.ok(read.ok);
  assert.equal(imageHash, read.info.imageHash);
  assert.equal(fileHash, createHash("sha256").update(image).digest("hex"));
  assert.equal(imageBytesMax, 57344);
});

test("the largest image is signed, one byte more is refused with the numbers", async () => {
  const signed = (imageBytes: number) =>
    signImage({ ...request, payload: new Uint8Array(imageBytes - 32 - 4 - 36 - 36 - 4) });
  // A signature takes 70 to 72 bytes, seldom less.
  assert.equal((await signed(57344 - 72)).ok, true);
  const refused = await signed(57344 - 60);
  assert.ok(!refused.ok && refused.reason === "too-large-for-slot");
  assert.match(refused.message, /a slot of 65536 bytes takes at most 57344 under swap-using-move/);
});

test("a key from a PEM signs what its public PEM verifies, the same bytes each time", async () => {
  const pair = createKeyPair();
  const found = signerFromPem(pair.privatePem);
  const trusted = trustedKeyFromPem(pair.publicPem);
  assert.ok(found.ok && trusted.ok);
  assert.deepEqual(trusted.key.publicKey, found.signer.publicKey);
  const first = await signImage({ ...request, signers: [found.signer] });
  const second = await signImage({ ...request, signers: [found.signer] });
  assert.ok(first.ok && second.ok);
  assert.deepEqual(first.signed.image, second.signed.image);
  const trust = { keys: [trusted.key], crypto: nodeCrypto, imageBytesMax: 57344 };
  assert.equal(verifyImage(bytesSource(first.signed.image), trust).ok, true);
  const digest = createHash("sha256").update("message").digest();
  const signature = await found.signer.sign(digest);
  const publicKey = createPublicKey(pair.publicPem);
  assert.ok(verify("sha256", Buffer.from("message"), publicKey, signature), "OpenSSL agrees");
});

test("the public half comes out of private and public PEMs alike", () => {
  const pair = createKeyPair();
  for (const pem of [pair.privatePem, pair.publicPem])
    assert.deepEqual(publicPemFromPem(pem), { ok: true, publicPem: pair.publicPem });
});

test("refuses PEMs that hold no P-256 key, with the reason", () => {
  const p384 = generateKeyPairSync("ec", { namedCurve: "secp384r1" });
  const pem = (key: typeof p384.privateKey) =>
    key.export({ format: "pem", type: "pkcs8" }).toString();
  const encrypted = p384.privateKey
    .export({ format: "pem", type: "pkcs8", cipher: "aes-128-cbc", passphrase: "x" })
    .toString();
  assert.deepEqual(signerFromPem(pem(p384.privateKey)), { ok: false, reason: "not-p256" });
  assert.deepEqual(signerFromPem(encrypted), { ok: false, reason: "encrypted" });
  assert.deepEqual(signerFromPem("hello"), { ok: false, reason: "not-a-key" });
  const ed25519 = generateKeyPairSync("ed25519");
  assert.deepEqual(signerFromPem(pem(ed25519.privateKey)), { ok: false, reason: "not-p256" });
  assert.equal(trustedKeyFromPem(pem(ed25519.privateKey)).ok, true);
});

test("the crypto of Node agrees with the portable one, and refuses malformed Ed25519 quietly", () => {
  const hasher = nodeCrypto.sha256();
  hasher.update(Uint8Array.of(0x61));
  hasher.update(Uint8Array.of(0x62, 0x63));
  assert.equal(
    toHex(hasher.digest()),
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
  );
  const zeros = (length: number) => new Uint8Array(length);
  assert.equal(nodeVerifyEd25519(zeros(31), zeros(32), zeros(64)), false);
  assert.equal(nodeVerifyEd25519(zeros(32), zeros(32), zeros(64)), false);
});
