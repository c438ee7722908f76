import { p256 } from "@noble/curves/nist.js";
import type { P256Vector } from "./p256-vectors.ts";

const { n, b } = p256.Point.CURVE();
const { Fp, BASE } = p256.Point;
const prime = Fp.ORDER;
const mod = (value: bigint, by = n): bigint => ((value % by) + by) % by;

/** No two of these are related in a way that a test is about. */
const secret = 0x5b1f2c6d9e0a3b4785c6d7e8f90123456789abcdef0fedcba9876543210a5c37n;
const nonce = 0x2f4e8d7c6b5a4938271605f4e3d2c1b0a99887766554433221100ffeeddccbbn;
const digestValue = 0x7c0ffee123456789abcdef00112233445566778899aabbccddeeff0011223344n;

interface Wishes {
  readonly d?: bigint;
  readonly k?: bigint;
  readonly e?: bigint;
}

/** What d and k sign of e, whatever these are: s = (e + r d) / k. */
function signed({ d = secret, k = nonce, e = digestValue }: Wishes): Omit<P256Vector, "name"> {
  const r = mod(BASE.multiply(k).toAffine().x);
  const s = mod((e + r * d) * inverse(k));
  return vector(d, e, r, s);
}

interface Affine {
  readonly x: bigint;
  readonly y: bigint;
}

/** The generator of secp256k1 (SEC 2, 2.4.1). */
const pointOfSecp256k1: Affine = {
  x: 0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798n,
  y: 0x483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8n,
};

/** The r that k leads to, from which some vectors choose the digest. */
const rOfNonce = mod(BASE.multiply(nonce).toAffine().x);

/**
 * Signatures at the edges of the arithmetic: u1 = e / s, u2 = r / s, and the sum of u1 G and u2 Q
 * has to have the x that r is.
 */
export const p256EdgeVectors: readonly P256Vector[] = [
  { name: "the key G", ...signed({ d: 1n }) },
  { name: "the key 2 G", ...signed({ d: 2n }) },
  { name: "the key -G", ...signed({ d: n - 1n }) },
  { name: "the key G / 2", ...signed({ d: (n + 1n) / 2n }) },
  { name: "a sum that is G", ...signed({ k: 1n }) },
  { name: "a sum that is -G", ...signed({ k: n - 1n }) },
  { name: "a sum that is 2 G", ...signed({ k: 2n }) },
  { name: "key and sum G", ...signed({ d: 1n, k: 1n }) },
  { name: "a digest of all ones, above n", ...signed({ e: 2n ** 256n - 1n }) },
  { name: "the digest n", ...signed({ e: n }) },
  { name: "the digest n - 1", ...signed({ e: n - 1n }) },
  { name: "the digest n + 1", ...signed({ e: n + 1n }) },
  { name: "s = 1", ...signed({ e: mod(nonce - rOfNonce * secret) }) },
  { name: "s = n - 1", ...signed({ e: mod(-nonce - rOfNonce * secret) }) },
  { name: "u1 = 1", ...signed({ e: mod(rOfNonce * secret * inverse(nonce - 1n)) }) },
  { name: "u2 = 1", ...signed({ e: mod(rOfNonce * (nonce - secret)) }) },
  { name: "u1 G equal to u2 Q", ...signed({ e: mod(rOfNonce * secret) }) },
  { name: "u1 = u2", ...signed({ e: rOfNonce }) },
  { name: "an x of the sum above n", ...sumAboveOrder() },
  { name: "the same with r not reduced", ...sumAboveOrder(n), valid: false },
  { name: "r = n + 1", ...changed({ r: n + 1n }) },
  { name: "s = n + 1", ...changed({ s: n + 1n }) },
  { name: "r = n - 1", ...changed({ r: n - 1n }) },
  { name: "s = n - 1 of another", ...changed({ s: n - 1n }) },
  { name: "r = 1 and s = 1", ...changed({ r: 1n, s: 1n }) },
  { name: "n - r", ...changed({ r: n - rOfNonce }) },
  { name: "r = p", ...changed({ r: prime }) },
  { name: "a point of secp256k1", ...changed({ point: pointOfSecp256k1 }) },
  { name: "a point of the twist", ...changed({ point: twistPoint() }) },
  { name: "a point of another b", ...changed({ point: { x: 2n, y: 3n } }) },
  { name: "the point (0, 1)", ...changed({ point: { x: 0n, y: 1n } }) },
  { name: "x = p", ...changed({ point: { x: prime, y: 0n } }) },
  {
    name: "x and y of all ones",
    ...changed({ point: { x: 2n ** 256n - 1n, y: 2n ** 256n - 1n } }),
  },
  { name: "the opposite key", ...changed({ point: oppositeKey() }) },
  {
    name: "the byte of infinity as a key",
    ...signed({}),
    publicKey: Uint8Array.of(0),
    valid: false,
  },
  { name: "an empty digest", ...signed({}), digest: new Uint8Array(0), valid: false },
  { name: "a digest of 64 bytes", ...signed({}), digest: new Uint8Array(64), valid: false },
  { name: "a signature cut in half", ...signed({}), ...cutSignature(), valid: false },
];

/** A valid signature of which one part is another. */
function changed({
  r,
  s,
  point,
}: {
  readonly r?: bigint;
  readonly s?: bigint;
  readonly point?: Affine;
}): Omit<P256Vector, "name"> {
  const good = signed({});
  const [goodR, goodS] = [good.signature.slice(0, 32), good.signature.slice(32)];
  const signature = Uint8Array.of(
    ...(r === undefined ? goodR : bytes32(r)),
    ...(s === undefined ? goodS : bytes32(s)),
  );
  const publicKey =
    point === undefined
      ? good.publicKey
      : Uint8Array.of(4, ...bytes32(point.x), ...bytes32(point.y));
  return { ...good, signature, publicKey, valid: false };
}

/**
 * A sum whose x lies between n and p, one in 2^32 of all, so that r is x - n. Nobody knows its k;
 * the key is made to fit: with u1 = u2 = 1 it is the sum less G.
 */
function sumAboveOrder(add = 0n): Omit<P256Vector, "name"> {
  // Bounded: half of all x belong to a point.
  for (let x = n + 1n; x < prime; x += 1n) {
    const square = Fp.create(x * x * x - 3n * x + b);
    const y = rootOf(square);
    if (y === null) continue;
    const { x: keyX, y: keyY } = p256.Point.fromAffine({ x, y }).subtract(BASE).toAffine();
    const r = x - n;
    return {
      publicKey: Uint8Array.of(4, ...bytes32(keyX), ...bytes32(keyY)),
      digest: bytes32(r),
      signature: Uint8Array.of(...bytes32(r + add), ...bytes32(r)),
      valid: true,
    };
  }
  throw new Error("no point has an x between n and p");
}

/** An x that no point of the curve has, and a y that would belong to it on the twist. */
function twistPoint(): Affine {
  for (let x = 2n; ; x += 1n) {
    const square = Fp.create(x * x * x - 3n * x + b);
    if (rootOf(square) !== null) continue;
    const y = rootOf(Fp.neg(square)); // p is 3 mod 4: of a number and its opposite one has a root
    if (y !== null) return { x, y };
  }
}

function oppositeKey(): Affine {
  const { x, y } = BASE.multiply(secret).toAffine();
  return { x, y: prime - y };
}

function cutSignature(): { readonly signature: Uint8Array } {
  return { signature: signed({}).signature.slice(0, 32) };
}

function vector(d: bigint, e: bigint, r: bigint, s: bigint): Omit<P256Vector, "name"> {
  return {
    publicKey: p256.getPublicKey(bytes32(d), false),
    digest: bytes32(e),
    signature: Uint8Array.of(...bytes32(r), ...bytes32(s)),
    valid: true,
  };
}

function rootOf(square: bigint): bigint | null {
  try {
    return Fp.sqrt(square);
  } catch {
    return null; // it is no square
  }
}

function inverse(value: bigint): bigint {
  return p256.Point.Fn.inv(mod(value));
}

function bytes32(value: bigint): Uint8Array {
  return Uint8Array.from(Buffer.from(value.toString(16).padStart(64, "0"), "hex"));
}
