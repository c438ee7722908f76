// What the firmware uses of ECMA-419, of the Moddable SDK and of our own native modules, and no more.
// `hosts/esp32` and `hosts/simulator` provide each of them.

declare module "embedded:storage/flash" {
  export interface Flash {
    close(): void;
    /** Erases the blocks from index `start` up to, not including, `end`. */
    eraseBlock(start: number, end?: number): void;
    read(buffer: Uint8Array, byteOffset: number): number;
    write(buffer: Uint8Array, byteOffset: number): void;
    status(): {
      size: number;
      blockLength: number;
      blocks: number;
      writeAlign: number;
      eraseValue: number;
    };
  }
  const flash: {
    open(options: { path: string; mode?: "r" | "r+" }): Flash;
    [Symbol.iterator](): IterableIterator<string>;
  };
  export default flash;
}

declare module "embedded:storage/key-value" {
  export interface Storage {
    close(): void;
    delete(key: string): void;
    read(key: string): ArrayBuffer | undefined;
    write(key: string, value: Uint8Array): void;
    [Symbol.iterator](): IterableIterator<string>;
  }
  const keyValue: {
    open(options: { path: string; format?: "buffer"; mode?: "r" | "r+" }): Storage;
  };
  export default keyValue;
}

declare module "embedded:network/http/client" {
  export interface HTTPRequest {
    read(byteLength?: number): ArrayBuffer | undefined;
    write(bytes: Uint8Array | undefined): number;
  }
  export interface RequestOptions {
    method?: string;
    path?: string;
    headers?: Map<string, string>;
    onHeaders?(
      this: HTTPRequest,
      status: number,
      headers: Map<string, string>,
      statusText: string,
    ): void;
    onReadable?(this: HTTPRequest, count: number): void;
    onWritable?(this: HTTPRequest, count: number): void;
    onDone?(this: HTTPRequest, error: unknown): void;
  }
  export default class HTTPClient {
    constructor(options: {
      host: string;
      port?: number;
      socket: object;
      dns: object;
      onError?(error: unknown): void;
    });
    request(options: RequestOptions): HTTPRequest;
    close(): void;
  }
}

declare module "embedded:io/analog" {
  export default class Analog {
    constructor(options: { pin: number });
    readonly resolution: number;
    read(): number;
    close(): void;
  }
}

declare module "timer" {
  export type Timer = { readonly brand: "Timer" };
  const timer: {
    set(callback: () => void, delayMs?: number): Timer;
    clear(timer: Timer): void;
  };
  export default timer;
}

declare module "time" {
  const time: {
    /** Milliseconds since the start of the machine. */
    readonly ticks: number;
  };
  export default time;
}

declare module "crypt" {
  export class Digest {
    constructor(type: "SHA256");
    write(message: ArrayBuffer | Uint8Array): void;
    close(): ArrayBuffer;
  }
}

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

/** The facts of the board that no standard module tells. Provided natively by each host. */
declare module "sluice/board" {
  const board: {
    /** Labels of the partitions, as the devicetree has them. */
    readonly partitions: {
      readonly primary: string;
      readonly secondary: string;
      readonly bootControl: string | undefined;
    };
    /** One of the values of `ResetReason`. */
    readonly resetReason: string;
    /** The analog pin of the battery divider and what full and empty read, or undefined without a battery. */
    readonly battery:
      | { readonly pin: number; readonly emptyRaw: number; readonly fullRaw: number }
      | undefined;
    readonly charging: boolean;
    /** Options for the HTTP client: its socket and its resolver. */
    readonly network: { readonly socket: object; readonly dns: object };
    /** Restarts the chip at once. */
    restart(): void;
    /** Feeds the hardware watchdog from the main loop from now on, as long as that loop turns. */
    startWatchdog(): void;
  };
  export default board;
}
