import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeBlockHashes,
  encodeBlockHashes,
  isBlockHash,
  readBlockHashes,
} from "../../../src/image/block-hashes.ts";
import { readImageInfo } from "../../../src/image/info.ts";
import { bytesSource } from "../../../src/image/source.ts";
import { verifyImage } from "../../../src/image/verify.ts";
import { plainImage, writeImage } from "../../../src/image/writer.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { testSigner } from "../../support/image-signer.ts";

const signer = testSigner(3);

function sha256(bytes: Uint8Array): Uint8Array {
  const hasher = nobleCrypto.sha256();
  hasher.update(bytes);
  return hasher.digest();
}

async function imageWithBlocks(
  payloadBytes: number,
  blockBytes: number | null,
): Promise<Uint8Array> {
  const payload = Uint8Array.from({ length: payloadBytes }, (_, index) => (index * 31) & 0xff);
  const version = { major: 1, minor: 2, revision: 3, build: 0 };
  const options = { ...plainImage, version, blockBytes };
  const written = await writeImage(payload, options, nobleCrypto, [signer]);
  assert.ok(written.ok);
  return written.image;
}

test("an image with block hashes is a valid image, and each hash is the block's", async () => {
  const image = await imageWithBlocks(10_000, 4096);
  const keys = [signer.key];
  const verdict = verifyImage(bytesSource(image), {
    keys,
    crypto: nobleCrypto,
    imageBytesMax: 1_000_000,
  });
  assert.ok(verdict.ok);
  const blocks = readBlockHashes(bytesSource(image), verdict.info.header);
  assert.ok(blocks !== null);
  assert.equal(blocks.coveredBytes, 10_032);
  for (const [index, end] of [4096, 8192, 10_032].entries())
    assert.ok(isBlockHash(blocks, index, sha256(image.subarray(index * 4096, end))));
  assert.ok(!isBlockHash(blocks, 1, sha256(image.subarray(0, 4096))));
  assert.ok(!isBlockHash(blocks, 3, new Uint8Array(32)));
});

test("an image without them says so", async () => {
  const image = await imageWithBlocks(10_000, null);
  const read = readImageInfo(bytesSource(image));
  assert.ok(read.ok);
  assert.equal(readBlockHashes(bytesSource(image), read.info.header), null);
});

test("a value is refused at every other length, and with a block size that is none", () => {
  const covered = new Uint8Array(9000);
  const value = encodeBlockHashes(covered, nobleCrypto, 4096);
  assert.ok(decodeBlockHashes(value, covered.length) !== null);
  for (let length = 0; length < value.length; length += 1)
    assert.equal(decodeBlockHashes(value.subarray(0, length), covered.length), null);
  assert.equal(decodeBlockHashes(Uint8Array.of(...value, 0), covered.length), null);
  assert.equal(decodeBlockHashes(value, covered.length + 4096), null);
  for (const blockBytes of [0, 1, 4095, 4097, 2 ** 21, 0xffff_ffff]) {
    const spoilt = value.slice();
    new DataView(spoilt.buffer).setUint32(0, blockBytes, true);
    assert.equal(decodeBlockHashes(spoilt, covered.length), null);
  }
});

test("any bytes give block hashes or null, never an exception", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), (value, coveredBytes) => {
      const blocks = decodeBlockHashes(value, coveredBytes);
      assert.ok(blocks === null || blocks.hashes.length === value.length - 4);
    }),
  );
});
