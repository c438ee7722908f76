// The SDK's crypt modules, computed by the host.
import { hostCall } from "./host-calls.ts";
import { call } from "./runtime-call.ts";

export class Digest {
  readonly #handle: number;

  constructor(type: string) {
    if (type !== "SHA256") throw new Error(`this board has no digest "${type}"`);
    this.#handle = call(hostCall.shaOpen).u32();
  }

  write(bytes: Uint8Array | ArrayBuffer): void {
    call(hostCall.shaWrite, [["u32", this.#handle]], new Uint8Array(bytes as Uint8Array));
  }

  close(): ArrayBuffer {
    return call(hostCall.shaClose, [["u32", this.#handle]])
      .rest()
      .slice().buffer as ArrayBuffer;
  }
}

export class Curve {
  readonly name: string;
  constructor(name: string) {
    if (name !== "secp256r1") throw new Error(`this board has no curve "${name}"`);
    this.name = name;
  }
}

export class ECPoint {
  readonly x: bigint;
  readonly y: bigint;
  constructor(x: bigint, y: bigint) {
    this.x = x;
    this.y = y;
  }
}

export class ECDSA {
  readonly #key: ECPoint;
  constructor(key: ECPoint) {
    this.#key = key;
  }
  verify(digest: ArrayBuffer, signature: ArrayBuffer): boolean {
    const parts = [bytesOf(this.#key.x), bytesOf(this.#key.y)];
    const tail = [...parts, new Uint8Array(digest), new Uint8Array(signature)];
    return call(hostCall.verify, [], ...tail).u8() === 1;
  }
}

function bytesOf(value: bigint): Uint8Array {
  const hex = value.toString(16).padStart(64, "0");
  return Uint8Array.from({ length: 32 }, (_, index) =>
    Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16),
  );
}
