import { p256 } from "@noble/curves/nist.js";
import { p256EdgeVectors } from "./p256-edge-vectors.ts";

/** One call of `verifyP256` and what every provider must answer. */
export interface P256Vector {
  readonly name: string;
  readonly publicKey: Uint8Array;
  readonly digest: Uint8Array;
  readonly signature: Uint8Array;
  readonly valid: boolean;
}

type Good = Omit<P256Vector, "name" | "valid">;

const { n } = p256.Point.CURVE();
const prime = p256.Point.Fp.ORDER;

// RFC 6979, A.2.5: P-256 with SHA-256 over "sample".
const secret = 0xc9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721n;
const publicX = 0x60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6n;
const publicY = 0x7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299n;
const digestValue = 0xaf2bdbe1aa9b6ec1e2ade1d694f41fc71a831d0268e9891562113d8a62add1bfn;
const r = 0xefd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716n;
const s = 0xf7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8n;

/** The parts of a good signature, for other forms of it. */
export const p256Good = {
  publicKey: point(0x04, publicX, publicY),
  digest: bytes32(digestValue),
  r,
  s,
};

const publicKey = point(0x04, publicX, publicY);
const digest = bytes32(digestValue);
const signature = pair(r, s);
const good = { publicKey, digest, signature };

export const p256Vectors: readonly P256Vector[] = [
  { name: "the signature of RFC 6979", ...good, valid: true },
  { name: "its twin with n - s", ...good, signature: pair(r, n - s), valid: true },
  { name: "a flipped bit of the digest", ...good, digest: flipped(digest, 31), valid: false },
  { name: "a flipped bit of r", ...good, signature: flipped(signature, 31), valid: false },
  { name: "a flipped bit of s", ...good, signature: flipped(signature, 63), valid: false },
  { name: "r and s exchanged", ...good, signature: pair(s, r), valid: false },
  { name: "another key", ...good, publicKey: keyOf(2n), valid: false },
  { name: "r = 0", ...good, signature: pair(0n, s), valid: false },
  { name: "s = 0", ...good, signature: pair(r, 0n), valid: false },
  { name: "r = s = 0", ...good, signature: pair(0n, 0n), valid: false },
  { name: "r = n", ...good, signature: pair(n, s), valid: false },
  { name: "s = n", ...good, signature: pair(r, n), valid: false },
  { name: "r and s of all ones", ...good, signature: new Uint8Array(64).fill(0xff), valid: false },
  { name: "a point off the curve", ...good, publicKey: flipped(publicKey, 64), valid: false },
  { name: "the point (0, 0)", ...good, publicKey: point(0x04, 0n, 0n), valid: false },
  { name: "a key whose x is 5", ...smallX().reduced, valid: true },
  { name: "the same key with x + p", ...smallX().unreduced, valid: false },
  { name: "y = p", ...good, publicKey: point(0x04, publicX, prime), valid: false },
  { name: "the first byte 0x00", ...good, publicKey: point(0x00, publicX, publicY), valid: false },
  { name: "the first byte 0x06", ...good, publicKey: point(0x06, publicX, publicY), valid: false },
  { name: "the first byte 0x07", ...good, publicKey: point(0x07, publicX, publicY), valid: false },
  { name: "a compressed point", ...good, publicKey: publicKey.slice(0, 33), valid: false },
  { name: "a key of 64 bytes", ...good, publicKey: publicKey.slice(1), valid: false },
  { name: "a key of 66 bytes", ...good, publicKey: longer(publicKey), valid: false },
  { name: "no key", ...good, publicKey: new Uint8Array(0), valid: false },
  { name: "a digest of 31 bytes", ...good, digest: digest.slice(1), valid: false },
  { name: "a digest of 33 bytes", ...good, digest: longer(digest), valid: false },
  { name: "a signature of 63 bytes", ...good, signature: signature.slice(1), valid: false },
  { name: "a signature of 65 bytes", ...good, signature: longer(signature), valid: false },
  { name: "no signature", ...good, signature: new Uint8Array(0), valid: false },
  // e = -r d makes u1 G + u2 Q the point at infinity, which has no x to compare with r.
  { name: "a sum at infinity", ...good, digest: bytes32(n - ((r * secret) % n)), valid: false },
  { name: "a digest of zeros", ...signedZeros(), valid: true },
  ...p256EdgeVectors,
];

function bytes32(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(64, "0"), "hex"));
}

function point(first: number, x: bigint, y: bigint): Uint8Array {
  return Uint8Array.of(first, ...bytes32(x), ...bytes32(y));
}

function pair(first: bigint, second: bigint): Uint8Array {
  return Uint8Array.of(...bytes32(first), ...bytes32(second));
}

function keyOf(value: bigint): Uint8Array {
  return p256.getPublicKey(bytes32(value), false);
}

function flipped(bytes: Uint8Array, index: number): Uint8Array {
  return bytes.map((byte, at) => (at === index ? byte ^ 1 : byte));
}

function longer(bytes: Uint8Array): Uint8Array {
  return Uint8Array.of(...bytes, 0);
}

/**
 * A key with an x small enough to be written as x + p too. Nobody knows its secret, so the digest
 * is made to fit: with R = G + Q, r = R.x and e = s = r, both factors of the verification are 1.
 */
function smallX(): { reduced: Good; unreduced: Good } {
  const { Fp, BASE } = p256.Point;
  const x = 5n;
  const y = Fp.sqrt(Fp.add(Fp.mul(x, x * x - 3n), p256.Point.CURVE().b));
  const sum = BASE.add(p256.Point.fromAffine({ x, y })).toAffine().x;
  const signed = { digest: bytes32(sum), signature: pair(sum, sum) };
  return {
    reduced: { ...signed, publicKey: point(0x04, x, y) },
    unreduced: { ...signed, publicKey: point(0x04, x + prime, y) },
  };
}

function signedZeros(): Good {
  const zeros = new Uint8Array(32);
  const signed = p256.sign(zeros, bytes32(secret), { prehash: false, lowS: false });
  return { publicKey, digest: zeros, signature: signed };
}
