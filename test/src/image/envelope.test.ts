import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  checkImageEnvelope,
  envelopeTailBytesMax,
  type ImageDemand,
  imageTailOffset,
} from "../../../src/image/envelope.ts";
import { parseImageHeader } from "../../../src/image/header.ts";
import type { ImageTrust } from "../../../src/image/verify.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { testSigner } from "../../support/image-signer.ts";
import { storedImage, writtenImages } from "./written-images.ts";

const trust: ImageTrust = {
  keys: [testSigner(2).key],
  crypto: nobleCrypto,
  imageBytesMax: 65536,
};
const demand: ImageDemand = { hardware: "esp32c3-b", securityCounterMin: 7 };
const vector = writtenImages[2];
if (vector === undefined) throw new Error("no stored image");
const image = storedImage(vector);
const parsed = parseImageHeader(image);
if (!parsed.ok) throw new Error(parsed.reason);
const head = image.slice(0, 32);
const tail = image.slice(imageTailOffset(parsed.header));

function reason(change: {
  head?: Uint8Array;
  tail?: Uint8Array;
  trust?: Partial<ImageTrust>;
  demand?: Partial<ImageDemand>;
}): string {
  const checked = checkImageEnvelope(
    { head: change.head ?? head, tail: change.tail ?? tail },
    { ...trust, ...change.trust },
    { ...demand, ...change.demand },
  );
  return checked.ok ? "valid" : checked.reason;
}

test("accepts an image for this hardware without its payload, and tells what it says", () => {
  const checked = checkImageEnvelope({ head, tail }, trust, demand);
  assert.ok(checked.ok);
  assert.equal(checked.info.version, "255.0.65535+4294967295");
  assert.equal(checked.info.buildId, "b0b1b2b3");
  assert.equal(checked.info.totalBytes, image.length);
});

test("refuses another hardware, a lower counter and another key", () => {
  assert.equal(reason({ demand: { hardware: "esp32c3-c" } }), "hardware-other");
  assert.equal(reason({ demand: { securityCounterMin: 8 } }), "security-counter-low");
  assert.equal(reason({ trust: { keys: [testSigner(3).key] } }), "signature-untrusted");
});

test("refuses an image that names no hardware or counter only when one is demanded", () => {
  const plain = writtenImages[1];
  assert.ok(plain);
  const bytes = storedImage(plain);
  const change = {
    head: bytes.subarray(0, 32),
    tail: bytes.subarray(40),
    trust: { keys: [testSigner(1).key] },
  };
  assert.equal(reason(change), "hardware-missing");
  assert.equal(reason({ ...change, demand: { hardware: null } }), "security-counter-missing");
  const nothing = { hardware: null, securityCounterMin: null };
  assert.equal(reason({ ...change, demand: nothing }), "valid");
});

test("refuses an image that is too large for the slot before its payload is fetched", () => {
  assert.equal(reason({ trust: { imageBytesMax: image.length } }), "valid");
  assert.equal(reason({ trust: { imageBytesMax: image.length - 1 } }), "image-too-large");
});

test("refuses every truncation and a tail that is too long", () => {
  for (let length = 0; length < tail.length; length += 1)
    assert.notEqual(reason({ tail: tail.subarray(0, length) }), "valid");
  for (let length = 0; length < head.length; length += 1)
    assert.equal(reason({ head: head.subarray(0, length) }), "header-truncated");
  const padded = (length: number) => {
    const bytes = new Uint8Array(length).fill(0xff);
    bytes.set(tail);
    return bytes;
  };
  assert.equal(reason({ tail: padded(envelopeTailBytesMax) }), "valid");
  assert.equal(reason({ tail: padded(envelopeTailBytesMax + 1) }), "tail-too-long");
});

test("refuses a changed signature, and any bytes without an exception", () => {
  const changed = tail.slice();
  changed[tail.length - 1] = (changed[tail.length - 1] ?? 0) ^ 1;
  assert.equal(reason({ tail: changed }), "signature-invalid");
  fc.assert(
    fc.property(fc.nat(31), fc.nat(255), fc.nat(tail.length - 1), fc.nat(255), (h, a, t, b) => {
      const otherHead = head.slice();
      const otherTail = tail.slice();
      otherHead[h] = a;
      otherTail[t] = b;
      assert.equal(typeof reason({ head: otherHead, tail: otherTail }), "string");
    }),
    { numRuns: 150 },
  );
});
