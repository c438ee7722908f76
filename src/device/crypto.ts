import { Digest } from "crypt";
import Curve from "curve";
import ECDSA from "ecdsa";
import ECPoint from "ecp";
import type { Crypto } from "../ports/crypto.ts";

/** The SDK's native SHA-256 and P-256. */
export const nativeCrypto: Crypto = {
  sha256() {
    let digest: Digest | null = new Digest("SHA256");
    const end = (): ArrayBuffer | undefined => {
      const open = digest;
      digest = null;
      return open?.close();
    };
    return {
      // The code of `crypt` takes any view of bytes, its typings do not say so; a copy per block is
      // what this saves.
      update: (bytes) => digest?.write(bytes as Uint8Array & ArrayBuffer),
      digest() {
        const whole = end();
        if (whole === undefined) throw new TypeError("the digest has ended");
        return new Uint8Array(whole);
      },
      close: () => void end(),
    };
  },
  verifyP256(publicKey, digest, signature) {
    if (publicKey.length !== 65 || digest.length !== 32 || signature.length !== 64) return false;
    if (publicKey[0] !== 0x04) return false;
    const x = integerOf(publicKey.subarray(1, 33));
    const y = integerOf(publicKey.subarray(33));
    if (!isOnCurve(x, y)) return false;
    const r = integerOf(signature.subarray(0, 32));
    const s = integerOf(signature.subarray(32));
    // FIPS 186-5, 6.4.2: r and s are in [1, n - 1]; checked here, since the SDK leaves it to its
    // caller.
    if (r === 0n || s === 0n || r >= p256Order || s >= p256Order) return false;
    try {
      const key = new ECDSA(new ECPoint(x, y), new Curve("secp256r1"));
      if (key.verify(bufferOf(digest), bufferOf(signature))) return true;
      // The SDK compares r with the sum's x, and not with x modulo n: where x may be r + n, it is
      // asked again.
      if (r >= prime - p256Order) return false;
      const unreduced = signature.slice();
      unreduced.set(bytesOf(r + p256Order));
      return key.verify(bufferOf(digest), bufferOf(unreduced));
    } catch {
      return false; // a sum that is the point at infinity has no x: no valid signature leads there
    }
  },
};

// Domain parameters of P-256 (SP 800-186, 3.2.1.3).
const prime = 0xffffffff00000001000000000000000000000000ffffffffffffffffffffffffn;
/** How many points the group of P-256 has. */
export const p256Order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const coefficientB = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;

function isOnCurve(x: bigint, y: bigint): boolean {
  if (x >= prime || y >= prime) return false;
  return (y * y - (x * x * x - 3n * x + coefficientB)) % prime === 0n;
}

/** Big endian. */
export function integerOf(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

/** 32 bytes, big endian. */
function bytesOf(value: bigint): Uint8Array {
  const bytes = new Uint8Array(32);
  for (let index = 31, left = value; index >= 0; index -= 1, left >>= 8n)
    bytes[index] = Number(left & 0xffn);
  return bytes;
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer as ArrayBuffer;
}
