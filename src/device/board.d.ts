// What no typing of the SDK covers, for the firmware and for applications that include it.

declare module "curve" {
  export default class Curve {
    constructor(name: "secp256r1");
  }
}

declare module "ecp" {
  export default class ECPoint {
    constructor(x: bigint, y: bigint);
  }
}

declare module "ecdsa" {
  import type Curve from "curve";
  import type ECPoint from "ecp";
  export default class ECDSA {
    constructor(key: ECPoint, curve: Curve);
    verify(digest: ArrayBuffer, signature: ArrayBuffer): boolean;
  }
}

/** The facts of the board that no standard module tells. Provided by each host. */
declare module "sluice/board" {
  /** What every socket of ECMA-419 calls back; the rest of its options is its own matter. */
  export interface SocketOptions {
    onReadable?(count: number): void;
    onWritable?(count: number): void;
    onError?(error?: unknown): void;
  }
  const board: {
    /** Labels of the partitions, as the devicetree has them. */
    readonly partitions: {
      readonly primary: string;
      readonly secondary: string;
      readonly bootControl: string | undefined;
    };
    /** One of the values of `ResetReason`. */
    readonly resetReason: string;
    /**
     * The analog pin of the battery divider and what full and empty read, or undefined without a
     * battery.
     */
    readonly battery:
      | { readonly pin: number; readonly emptyRaw: number; readonly fullRaw: number }
      | undefined;
    readonly charging: boolean;
    /** Options for the HTTP client: its socket and its resolver, each with its class as `io`. */
    readonly network: {
      readonly socket: { readonly io: new (options: SocketOptions) => object };
      readonly dns: object;
    };
    /** Bytes of the hardware's random generator. */
    entropy(byteLength: number): ArrayBuffer;
    /** Restarts the chip at once. */
    restart(): void;
    /** Feeds the hardware watchdog from the main loop from now on, as long as that loop turns. */
    startWatchdog(): void;
  };
  export default board;
}

/** The standard globals that `text-globals.ts` installs where the engine has none. */
declare var TextEncoder: { new (): { encode(text: string): Uint8Array<ArrayBuffer> } };
declare var TextDecoder: { new (): { decode(bytes: Uint8Array | ArrayBuffer): string } };
