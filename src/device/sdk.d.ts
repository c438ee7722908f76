// What the firmware uses of ECMA-419 and of the Moddable SDK, and no more, where the SDK has
// typings of its own: an application is compiled against those, and `npm run test:moddable` holds
// these against them. `hosts/esp32` and `hosts/simulator` provide each of them.

declare module "embedded:storage/flash" {
  export interface Flash {
    readonly format: "buffer";
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
    /** Undefined on Zephyr, and an exception on other ports, for a key that was never written. */
    read(key: string): ArrayBuffer | string | number | bigint | undefined;
    write(key: string, value: Uint8Array): void;
    [Symbol.iterator](): IterableIterator<string>;
  }
  const keyValue: {
    open(options: { path: string; format?: "buffer"; mode?: "r" | "r+" }): Storage;
  };
  export default keyValue;
}

declare module "embedded:io/analog" {
  export default class Analog {
    constructor(options: { pin: number });
    readonly resolution: number;
    read(): number;
  }
}

declare module "timer" {
  const timer: {
    set(callback: () => void, delayMs?: number): object;
    clear(timer: object): void;
  };
  export default timer;
}

declare module "time" {
  const time: {
    /**
     * Milliseconds from an origin of the platform's own: a signed 32-bit count on Zephyr, Unix time
     * on Linux.
     */
    readonly ticks: number;
  };
  export default time;
}

declare module "text/encoder" {
  const TextEncoder: { new (): { encode(text: string): Uint8Array } };

  export { TextEncoder as default };
}

declare module "text/decoder" {
  const TextDecoder: { new (): { decode(bytes: Uint8Array | ArrayBuffer): string } };

  export { TextDecoder as default };
}

declare module "crypt" {
  export class Digest {
    constructor(type: "SHA256");
    /** The typings of the SDK name only `ArrayBuffer`; its code takes any view of bytes. */
    write(message: ArrayBuffer): void;
    close(): ArrayBuffer;
  }
}
