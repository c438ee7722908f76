import Mont from "mont";
import { signatureFromDer, signatureToDer } from "../../../../src/image/signature.ts";

const scalarBytes = 32;

/** `ecp` of the SDK. */
interface Point {
  readonly X: bigint;
}

/** `curve` of the SDK. */
interface Curve {
  readonly ec: {
    mul(point: Point, factor: bigint): Point;
    mul2(first: Point, factor: bigint, second: Point, other: bigint): Point;
  };
  readonly G: Point;
  readonly n: bigint;
}

/**
 * The SDK's class on P-256, as the firmware and the SDK's session call it, without its reader of
 * BER.
 */
export default class ECDSA {
  /** The random number of the next signature. */
  k: bigint | undefined;
  readonly #key: Point | bigint;
  readonly #curve: Curve;
  readonly #order: Mont;

  /** With the point of a public key, or the number of a private one. */
  constructor(key: Point | bigint, curve: Curve) {
    this.#key = key;
    this.#curve = curve;
    this.#order = new Mont({ m: curve.n });
  }

  verify(digest: ArrayBuffer, signature: ArrayBuffer, isDer = false): boolean {
    const raw = isDer ? rawOf(signature) : signature;
    if (raw === null || typeof this.#key === "bigint") return false;
    const r = BigInt.fromArrayBuffer(raw.slice(0, scalarBytes));
    const inverse = this.#order.mulinv(BigInt.fromArrayBuffer(raw.slice(scalarBytes)));
    const { ec, G } = this.#curve;
    const factor = this.#order.mul(BigInt.fromArrayBuffer(digest), inverse);
    return ec.mul2(G, factor, this.#key, this.#order.mul(r, inverse)).X === r;
  }

  /** In DER. */
  sign(digest: ArrayBuffer): ArrayBuffer {
    if (typeof this.#key !== "bigint" || this.k === undefined)
      throw new Error("a private key and a random number are needed to sign");
    const { ec, G, n } = this.#curve;
    const r = ec.mul(G, this.k).X % n;
    const sum = this.#order.add(BigInt.fromArrayBuffer(digest), this.#order.mul(this.#key, r));
    const s = this.#order.mul(sum, this.#order.mulinv(this.k));
    const raw = new Uint8Array(2 * scalarBytes);
    raw.set(new Uint8Array(ArrayBuffer.fromBigInt(r, scalarBytes)));
    raw.set(new Uint8Array(ArrayBuffer.fromBigInt(s, scalarBytes)), scalarBytes);
    return signatureToDer(raw).buffer as ArrayBuffer;
  }
}

function rawOf(signature: ArrayBuffer): ArrayBuffer | null {
  const read = signatureFromDer(new Uint8Array(signature));
  return read.ok ? (read.raw.buffer as ArrayBuffer) : null;
}
