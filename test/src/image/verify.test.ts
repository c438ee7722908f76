import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fromHex } from "../../../src/image/hex.ts";
import { readImageInfo } from "../../../src/image/info.ts";
import { bytesSource, type ImageSource } from "../../../src/image/source.ts";
import {
  type ImageTrust,
  ImageVerification,
  verifyBlockBytes,
  verifyImage,
} from "../../../src/image/verify.ts";
import { type ImageOptions, plainImage, writeImage } from "../../../src/image/writer.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { testSigner } from "../../support/image-signer.ts";
import { OpenHashers } from "../../support/open-hashers.ts";
import { storedImage, writtenImages } from "./written-images.ts";

const trust: ImageTrust = {
  keys: [testSigner(1).key],
  crypto: nobleCrypto,
  imageBytesMax: 65536,
};
const options: ImageOptions = {
  ...plainImage,
  version: { major: 1, minor: 0, revision: 0, build: 0 },
};
const full = stored(2);

function stored(index: number): Uint8Array {
  const vector = writtenImages[index];
  if (vector === undefined) throw new Error(`no stored image ${index}`);
  return storedImage(vector);
}

function reason(image: Uint8Array, change: Partial<ImageTrust> = {}): string {
  const verdict = verifyImage(bytesSource(image), { ...trust, ...change });
  return verdict.ok ? "valid" : verdict.reason;
}

/** The unsigned part of an image with other unprotected TLVs behind it. */
function withTlvs(image: Uint8Array, ...tlvs: ReadonlyArray<readonly [number, Uint8Array]>) {
  const read = readImageInfo(bytesSource(image));
  if (!read.ok) throw new Error(read.reason);
  const { headerBytes, payloadBytes, protectedTlvBytes } = read.info.header;
  const hashed = image.subarray(0, headerBytes + payloadBytes + protectedTlvBytes);
  const bytes = tlvs.flatMap(([type, value]) => [type, 0, value.length, 0, ...value]);
  const total = 4 + bytes.length;
  return Uint8Array.of(...hashed, 0x07, 0x69, total & 0xff, total >> 8, ...bytes);
}

/** Hash, key hash and signature values of the stored image with one signature. */
const one = stored(1);
const hash = one.slice(48, 80);
const keyHash = one.slice(84, 116);
const signature = one.slice(120, 191);

test("accepts a slot with erased flash behind the image", () => {
  const slot = new Uint8Array(65536).fill(0xff);
  slot.set(full);
  assert.equal(reason(slot), "valid");
});

test("refuses every truncation of an image, and info never fails on one in another way", () => {
  for (let length = 0; length < full.length; length += 1) {
    const cut = full.subarray(0, length);
    assert.notEqual(reason(cut), "valid");
    const read = readImageInfo(bytesSource(cut));
    if (length >= 32) assert.ok(read.ok && read.info.problem === "tlv-area-truncated");
    else assert.ok(!read.ok && read.reason === "header-truncated");
  }
});

test("refuses every single changed byte but those that sign nothing", () => {
  const read = readImageInfo(bytesSource(full));
  assert.ok(read.ok);
  // The first signature's pair may be damaged into one of an unknown key; the second then decides.
  const both = { ...trust, keys: [testSigner(1).key, testSigner(2).key] };
  const lastKeyHash = read.info.tlvs[8]?.offsetBytes ?? 0;
  for (let index = 0; index < full.length; index += 1) {
    const changed = full.slice();
    changed[index] = (changed[index] ?? 0) ^ 0x01;
    if (index >= lastKeyHash)
      assert.notEqual(reason(changed, { keys: [testSigner(2).key] }), "valid");
    const isHashed = index < (read.info.tlvs[5]?.offsetBytes ?? 0) + 32;
    if (isHashed) assert.notEqual(reason(changed, both), "valid", `byte ${index}`);
  }
});

test("random and mutated bytes give a verdict or a typed refusal, never an exception", () => {
  const source = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc
      .array(fc.tuple(fc.nat(full.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 })
      .map((changes) => {
        const bytes = full.slice();
        for (const [index, value] of changes) bytes[index] = value;
        return bytes;
      }),
  );
  fc.assert(
    fc.property(source, (bytes) => {
      assert.equal(typeof reason(bytes), "string");
      const read = readImageInfo(bytesSource(bytes));
      assert.ok(read.ok || typeof read.reason === "string");
    }),
    { numRuns: 200 },
  );
});

test("refuses sizes that leave the source, 32 bits or the largest image", () => {
  const sized = (offset: number, ...bytes: number[]) => {
    const image = full.slice();
    image.set(bytes, offset);
    return reason(image);
  };
  assert.equal(sized(12, 0xf0, 0xff, 0xff, 0xff), "image-beyond-source");
  assert.equal(sized(12, 0xff, 0xff, 0xff, 0x00), "image-beyond-source");
  assert.equal(sized(8, 0xff, 0xff), "image-beyond-source");
  assert.equal(sized(10, 0xff, 0xff), "image-beyond-source");
  assert.equal(sized(10, 0x00, 0x00), "tlv-protected-size");
  assert.equal(sized(10, 0x35, 0x00), "tlv-protected-size");
  assert.equal(reason(full, { imageBytesMax: full.length }), "valid");
  assert.equal(reason(full, { imageBytesMax: full.length - 1 }), "image-too-large");
});

test("refuses a TLV that leaves the area, and an area that leaves the source", () => {
  const valueLength = one.slice();
  valueLength.set([0x48, 0x00], 118); // the last TLV says one byte more
  assert.equal(reason(valueLength), "tlv-overrun");
  const areaLength = one.slice();
  areaLength.set([0x98, 0x00], 42);
  assert.equal(reason(areaLength), "tlv-area-truncated");
  const shortArea = one.slice();
  shortArea.set([0x96, 0x00], 42);
  assert.equal(reason(shortArea), "tlv-overrun");
});

test("the hash must be there, of 32 bytes, and equal", () => {
  assert.equal(reason(withTlvs(one, [0x10, hash], [0x01, keyHash], [0x22, signature])), "valid");
  assert.equal(reason(withTlvs(one, [0x01, keyHash], [0x22, signature])), "hash-missing");
  assert.equal(reason(withTlvs(one, [0x10, hash.subarray(1)])), "hash-length");
  assert.equal(reason(withTlvs(one, [0x10, keyHash])), "hash-mismatch");
});

test("a signature counts only behind the hash of a trusted key, and uses that hash up", () => {
  const untrusted = "signature-untrusted";
  assert.equal(reason(withTlvs(one, [0x10, hash], [0x22, signature])), untrusted);
  assert.equal(reason(withTlvs(one, [0x22, signature], [0x10, hash], [0x01, keyHash])), untrusted);
  assert.equal(reason(withTlvs(one, [0x10, hash], [0x01, hash], [0x22, signature])), untrusted);
  const bad = signature.slice();
  bad[20] = (bad[20] ?? 0) ^ 1;
  const pair = [
    [0x01, keyHash],
    [0x22, signature],
  ] as const;
  assert.equal(reason(withTlvs(one, [0x10, hash], ...pair, [0x22, bad])), "valid");
});

test("of several signatures by trusted keys the last one decides", () => {
  const bad = signature.slice();
  bad[20] = (bad[20] ?? 0) ^ 1;
  const good = [
    [0x01, keyHash],
    [0x22, signature],
  ] as const;
  const wrong = [
    [0x01, keyHash],
    [0x22, bad],
  ] as const;
  assert.equal(reason(withTlvs(one, [0x10, hash], ...wrong, ...good)), "valid");
  assert.equal(reason(withTlvs(one, [0x10, hash], ...good, ...wrong)), "signature-invalid");
});

test("a key hash selects by as many bytes as it has, and one of more than 32 is refused", () => {
  const prefix = keyHash.subarray(0, 4);
  assert.equal(reason(withTlvs(one, [0x10, hash], [0x01, prefix], [0x22, signature])), "valid");
  const long = Uint8Array.of(...keyHash, 0);
  assert.equal(reason(withTlvs(one, [0x10, hash], [0x01, long])), "key-hash-length");
});

test("a signature longer than MCUboot's buffer is refused, zeros after one are ignored", () => {
  const padded = (count: number) => Uint8Array.of(...signature, ...new Uint8Array(count));
  const image = (value: Uint8Array) => withTlvs(one, [0x10, hash], [0x01, keyHash], [0x22, value]);
  assert.equal(reason(image(padded(2))), "valid");
  assert.equal(reason(image(padded(58))), "signature-length");
});

test("an unprotected TLV outside the allow list is refused, a protected one is not", () => {
  const pair = [
    [0x01, keyHash],
    [0x22, signature],
  ] as const;
  const extra = [0xa0, Uint8Array.of(1)] as const;
  assert.equal(reason(withTlvs(one, [0x10, hash], ...pair, extra)), "tlv-not-allowed");
  assert.equal(reason(full), "valid");
});

test("info keeps at most 64 TLVs and still finds the hash behind them", () => {
  const many = Array.from({ length: 100 }, () => [0x02, new Uint8Array(0)] as const);
  const read = readImageInfo(bytesSource(withTlvs(one, ...many, [0x10, hash])));
  assert.ok(read.ok);
  assert.equal(read.info.tlvs.length, 64);
  assert.deepEqual(fromHex(read.info.imageHash ?? ""), hash);
});

const flagged: ReadonlyArray<readonly [number, string]> = [
  [0x04, "encrypted"],
  [0x08, "encrypted"],
  [0x10, "non-bootable"],
  [0x200, "compressed"],
  [0x400, "compressed"],
  [0x800, "compressed"],
  [0x100, "valid"],
];

for (const [flags, expected] of flagged) {
  test(`an image with flags 0x${flags.toString(16)} is ${expected}`, async () => {
    const change = { ...options, flags };
    const written = await writeImage(new Uint8Array(8), change, nobleCrypto, [testSigner(1)]);
    assert.ok(written.ok);
    assert.equal(reason(written.image), expected);
  });
}

test("an incremental verification hashes some blocks per step and agrees with one call", async () => {
  const payload = new Uint8Array(3 * 4096);
  const written = await writeImage(payload, options, nobleCrypto, [testSigner(1)]);
  assert.ok(written.ok);
  let largestRead = 0;
  const inner = bytesSource(written.image);
  const source: ImageSource = {
    sizeBytes: inner.sizeBytes,
    read(offsetBytes, into) {
      largestRead = Math.max(largestRead, into.length);
      inner.read(offsetBytes, into);
    },
  };
  const verification = new ImageVerification(source, trust);
  const seen: number[] = [];
  let verdict = verification.step();
  while (verdict === null) {
    seen.push(verification.progress.hashedBytes);
    assert.equal(verification.progress.totalBytes, 32 + payload.length);
    verdict = verification.step();
  }
  assert.deepEqual(seen, [0, 4096, 8192, 12288, 12320]);
  assert.equal(verdict.ok, true);
  assert.equal(verification.step(), verdict);
  assert.equal(largestRead, verifyBlockBytes);
});

test("frees its digest when it is given up at any step, refuses, or cannot be read", async () => {
  const written = await writeImage(new Uint8Array(3 * 4096), options, nobleCrypto, [testSigner(1)]);
  assert.ok(written.ok);
  const hashers = new OpenHashers();
  const counted = { ...trust, crypto: hashers.of(nobleCrypto) };
  for (let steps = 0; steps < 8; steps += 1) {
    const verification = new ImageVerification(bytesSource(written.image), counted);
    for (let step = 0; step < steps; step += 1) verification.step();
    verification.close();
    assert.equal(hashers.open, 0, `given up after ${steps} steps`);
  }
  const spoilt = written.image.map((byte, index) => (index === 100 ? byte ^ 1 : byte));
  assert.equal(verifyImage(bytesSource(spoilt), counted).ok, false);
  const inner = bytesSource(written.image);
  const broken: ImageSource = {
    sizeBytes: inner.sizeBytes,
    read(offsetBytes, into) {
      if (offsetBytes > 5000 && offsetBytes < 9000) throw new Error("flash");
      inner.read(offsetBytes, into);
    },
  };
  assert.throws(() => verifyImage(broken, counted), /flash/);
  assert.equal(hashers.open, 0);
  assert.ok(hashers.opened >= 8, `${hashers.opened} were opened`);
});

test("keys of two algorithms, and ed25519 without its function, are a mistake of the caller", () => {
  const ed25519 = { algorithm: "ed25519", publicKey: new Uint8Array(32) } as const;
  assert.throws(() => reason(full, { keys: [testSigner(1).key, ed25519] }), TypeError);
  assert.throws(() => reason(full, { keys: [ed25519] }), TypeError);
});
