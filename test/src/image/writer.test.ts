import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "../../../src/image/hex.ts";
import { readImageInfo } from "../../../src/image/info.ts";
import { moveTrailerShape } from "../../../src/image/layout.ts";
import { bytesSource } from "../../../src/image/source.ts";
import { readTrailer } from "../../../src/image/trailer.ts";
import { verifyImage } from "../../../src/image/verify.ts";
import { type ImageOptions, padImage, plainImage, writeImage } from "../../../src/image/writer.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { testSigner } from "../../support/image-signer.ts";
import { storedImage, writtenImages } from "./written-images.ts";

const options: ImageOptions = {
  ...plainImage,
  version: { major: 1, minor: 0, revision: 0, build: 0 },
};

for (const vector of writtenImages) {
  test(`writes ${vector.name} byte for byte`, async () => {
    const signers = vector.secrets.map(testSigner);
    const written = await writeImage(vector.payload, vector.options, nobleCrypto, signers);
    assert.ok(written.ok);
    assert.equal(toHex(written.image), toHex(storedImage(vector)));
  });

  test(`reads ${vector.name} back as it was asked for`, () => {
    const image = storedImage(vector);
    const read = readImageInfo(bytesSource(image));
    assert.ok(read.ok);
    const { info } = read;
    assert.equal(info.problem, null);
    assert.deepEqual(info.header.version, vector.options.version);
    assert.equal(info.header.headerBytes, vector.options.headerBytes);
    assert.equal(info.header.payloadBytes, vector.payload.length);
    assert.equal(info.securityCounter, vector.options.securityCounter);
    assert.deepEqual(info.dependencies, vector.options.dependencies);
    assert.equal(info.hardware, vector.options.hardware);
    const buildId = vector.options.buildId === null ? null : toHex(vector.options.buildId);
    assert.equal(info.buildId, buildId);
    assert.equal(info.totalBytes, image.length);
    const hashPart = vector.parts.find(([name]) => name === "hash")?.[1] ?? "";
    assert.equal(info.imageHash, hashPart.slice(8));
  });

  for (const secret of vector.secrets) {
    test(`${vector.name} is valid for the key of secret ${secret} alone`, () => {
      const trust = { keys: [testSigner(secret).key], crypto: nobleCrypto, imageBytesMax: 4096 };
      assert.equal(verifyImage(bytesSource(storedImage(vector)), trust).ok, true);
    });
  }
}

test("lists every TLV with its place, and whether it is protected", () => {
  const vector = writtenImages[2];
  assert.ok(vector);
  const image = storedImage(vector);
  const read = readImageInfo(bytesSource(image));
  assert.ok(read.ok);
  const listed = read.info.tlvs.map(({ type, valueBytes, isProtected }) => [
    type,
    valueBytes,
    isProtected,
  ]);
  assert.deepEqual(listed, [
    [0x50, 4, true],
    [0x40, 12, true],
    [0xa0, 9, true],
    [0xa1, 4, true],
    [0xa2, 1, true],
    [0x10, 32, false],
    [0x01, 32, false],
    [0x22, 71, false],
    [0x01, 32, false],
    [0x22, 71, false],
  ]);
  const custom = read.info.tlvs[4];
  assert.equal(image[custom?.offsetBytes ?? 0], 0xc0);
});

test("refuses a payload beyond 16 MiB and protected TLVs beyond 16 bits", async () => {
  const large = new Uint8Array(16 * 1024 * 1024 - 31);
  assert.deepEqual(await writeImage(large, options, nobleCrypto, []), {
    ok: false,
    reason: "payload-too-large",
  });
  const customTlvs = [0xa2, 0xa3].map((type) => ({ type, value: new Uint8Array(40000) }));
  const many = { ...options, customTlvs };
  assert.deepEqual(await writeImage(new Uint8Array(4), many, nobleCrypto, []), {
    ok: false,
    reason: "tlvs-too-large",
  });
});

test("refuses what a signer answers when it is no signature of the hash by its key", async () => {
  const good = testSigner(1);
  const other = { publicKey: good.publicKey, sign: testSigner(2).sign };
  const garbage = { publicKey: good.publicKey, sign: async () => new Uint8Array(71) };
  for (const signer of [other, garbage])
    assert.deepEqual(await writeImage(new Uint8Array(4), options, nobleCrypto, [signer]), {
      ok: false,
      reason: "signature-invalid",
    });
});

test("throws on options that no field can hold", async () => {
  const write = (change: Partial<ImageOptions>) =>
    writeImage(new Uint8Array(4), { ...options, ...change }, nobleCrypto, []);
  await assert.rejects(write({ headerBytes: 31 }), /headerBytes is 31/);
  await assert.rejects(write({ securityCounter: 2 ** 32 }), /security counter 4294967296/);
  await assert.rejects(write({ hardware: "ESP32" }), /"ESP32" is no hardware id/);
  await assert.rejects(write({ buildId: new Uint8Array(33) }), /33 bytes, at most 32/);
  const versionMin = { ...options.version, major: 256 };
  await assert.rejects(write({ dependencies: [{ imageIndex: 0, versionMin }] }), /dependency/);
});

test("pads to a slot that requests a test or a permanent upgrade", () => {
  const vector = writtenImages[1];
  assert.ok(vector);
  const image = storedImage(vector);
  const slot = { slotBytes: 65536, sectorBytes: 4096 };
  for (const align of [8, 32] as const) {
    const writeBlockBytes = align === 8 ? 4 : 32;
    const shape = moveTrailerShape({ ...slot, writeBlockBytes, maxAlignBytes: align });
    const place = { shape, slotBytes: slot.slotBytes };
    const requested = padImage(image, place, false);
    const confirmed = padImage(image, place, true);
    assert.ok(requested !== null && confirmed !== null);
    assert.equal(requested.length, 65536);
    assert.deepEqual(requested.subarray(0, image.length), image);
    assert.equal(readTrailer(bytesSource(requested), shape).magic, "good");
    assert.equal(readTrailer(bytesSource(requested), shape).imageOk, "unset");
    assert.equal(readTrailer(bytesSource(confirmed), shape).imageOk, "set");
  }
});

test("does not pad an image that reaches into the trailer", () => {
  const slot = {
    slotBytes: 8192,
    sectorBytes: 4096,
    writeBlockBytes: 4,
    maxAlignBytes: 8,
  } as const;
  const place = { shape: moveTrailerShape(slot), slotBytes: 8192 };
  assert.equal(padImage(new Uint8Array(8192 - 72 + 1), place, false), null);
  assert.notEqual(padImage(new Uint8Array(8192 - 72), place, false), null);
});
