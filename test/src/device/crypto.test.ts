import assert from "node:assert/strict";
import { createHash, type Hash } from "node:crypto";
import { test } from "node:test";
import { p256 } from "@noble/curves/nist.js";
import type { Crypto } from "../../../src/ports/crypto.ts";
import { loadDeviceModule } from "../../support/device-module.ts";
import { p256Vectors } from "../ports/p256-vectors.ts";

// The SDK's modules as far as the device calls them: like those they check nothing themselves.

class Digest {
  readonly #hash: Hash = createHash("sha256");
  write(message: ArrayBuffer | Uint8Array): void {
    this.#hash.update(new Uint8Array(message));
  }
  close(): ArrayBuffer {
    return new Uint8Array(this.#hash.digest()).buffer;
  }
}

class Curve {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

class ECPoint {
  readonly x: bigint;
  readonly y: bigint;
  constructor(x: bigint, y: bigint) {
    this.x = x;
    this.y = y;
  }
}

class ECDSA {
  readonly #key: ECPoint;
  constructor(key: ECPoint, curve: Curve) {
    assert.equal(curve.name, "secp256r1");
    this.#key = key;
  }
  verify(digest: ArrayBuffer, signature: ArrayBuffer): boolean {
    const { Fn, BASE, fromAffine } = p256.Point;
    const [r, s] = [integerOf(signature.slice(0, 32)), integerOf(signature.slice(32, 64))];
    const inverse = Fn.inv(s);
    const u1 = Fn.mul(Fn.create(integerOf(digest)), inverse);
    const u2 = Fn.mul(r, inverse);
    const key = fromAffine.call(p256.Point, { x: this.#key.x, y: this.#key.y });
    const sum = BASE.multiplyUnsafe(u1).add(key.multiplyUnsafe(u2));
    if (sum.is0()) throw new Error("no inverse of 0");
    return sum.toAffine().x === r;
  }
}

function integerOf(buffer: ArrayBuffer): bigint {
  return BigInt(`0x${Buffer.from(buffer).toString("hex")}`);
}

const { nativeCrypto } = loadDeviceModule<{ nativeCrypto: Crypto }>("crypto.ts", {
  crypt: { Digest },
  curve: Curve,
  ecp: ECPoint,
  ecdsa: ECDSA,
});

for (const { name, publicKey, digest, signature, valid } of p256Vectors)
  test(`the native provider answers ${valid} for ${name}`, () => {
    assert.equal(nativeCrypto.verifyP256(publicKey, digest, signature), valid);
  });

test("verifies bytes that lie in the middle of a larger buffer", () => {
  const [{ publicKey, digest, signature }] = p256Vectors as [(typeof p256Vectors)[number]];
  const inside = (bytes: Uint8Array): Uint8Array =>
    Uint8Array.of(7, 7, 7, ...bytes, 7).subarray(3, 3 + bytes.length);
  assert.equal(nativeCrypto.verifyP256(inside(publicKey), inside(digest), inside(signature)), true);
});

test("hashes in parts as it hashes the whole", () => {
  const hasher = nativeCrypto.sha256();
  hasher.update(Uint8Array.of(1, 2, 3));
  hasher.update(Uint8Array.of(9, 4, 5, 9).subarray(1, 3));
  const whole = createHash("sha256")
    .update(Uint8Array.of(1, 2, 3, 4, 5))
    .digest();
  assert.deepEqual([...hasher.digest()], [...whole]);
});
