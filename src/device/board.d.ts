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
    /** What the next signature uses in place of a random number of the SDK's own. */
    k: bigint;
    verify(digest: ArrayBuffer, signature: ArrayBuffer): boolean;
    /** `true` gives DER. */
    sign(digest: ArrayBuffer, der: true): ArrayBuffer;
  }
}

declare module "rng" {
  const generator: {
    /** Starts again from these bytes alone. */
    init(seed: ArrayBuffer): void;
  };
  export default generator;
}

// The SDK's TLS in JavaScript, as far as secure-session.ts touches it.

declare module "ssl/stream" {
  export default class SSLStream {
    writeChars(value: number, byteLength: number): void;
    writeChunk(bytes: ArrayBuffer | Uint8Array): void;
  }
}

declare module "ssl/handshake" {
  import type SSLStream from "ssl/stream";

  const handshake: {
    readonly certificateVerify: { readonly msgType: number };
    readonly finished: { readonly msgType: number };
    /** Makes a record of a message, and adds the message to the handshake's digest. */
    packetize(session: object, messageType: number, body: SSLStream): Uint8Array;
  };
  export default handshake;
}

declare module "ssl/session" {
  /** What a session reads from and writes to; it counts down what is readable itself. */
  export interface Link {
    readable: number;
    read(into: Uint8Array): void;
    write(packet: Uint8Array): void;
  }
  export default class Session {
    constructor(options: object);
    certificateManager: object;
    options?: object;
    dhparams?: object;
    clientRandom?: ArrayBuffer;
    serverRandom?: ArrayBuffer;
    masterSecret?: ArrayBuffer;
    handshakeDigests?: { readonly SHA256: { close(goOn: true): ArrayBuffer } };
    /** The last handshake message that came; -1 once it was answered. */
    readonly handshakeProcess: number;
    readonly alert?: object;
    initiateHandshake(): void;
    /**
     * Does one step: sends what is due or takes one record. True when it is over, for good or ill.
     */
    handshake(link: Link): boolean;
    /** Content, undefined while a record is not whole, null when the other side closed. */
    read(link: Link): Uint8Array | null | undefined;
    write(link: Link, bytes: Uint8Array): void;
    readPacket(link: Link): ArrayBuffer | undefined;
    doProtocol(link: Link, protocol: object, first?: unknown, second?: unknown): void;
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
  /** A TCP socket, as far as the firmware uses it itself. */
  export interface Socket {
    format: "number" | "buffer";
    /** In the format `buffer`. Without a buffer it answers a new one of so many bytes. */
    read(into: Uint8Array): number;
    read(byteLength?: number): ArrayBuffer | number | undefined;
    /** Answers how many more bytes it takes. */
    write(bytes: Uint8Array): number;
    close(): void;
  }
  /** A resolver of ECMA-419, as far as the firmware uses it. */
  export interface Resolver {
    resolve(wanted: {
      readonly host: string;
      onResolved(host: string, address: string): void;
      onError(error?: unknown): void;
    }): void;
    close(): void;
  }
  const board: {
    /** Labels of the partitions, as the devicetree has them. */
    readonly partitions: {
      readonly primary: string;
      readonly secondary: string;
      readonly bootctl: string | undefined;
      /**
       * The partition of the bootloader, on boards that ship ours: it can be read, never written.
       */
      readonly bootloader?: string | undefined;
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
    /** Options for sockets and for the resolver of names, each with its class as `io`. */
    readonly network: {
      readonly socket: { readonly io: new (options: SocketOptions) => Socket };
      readonly dns: { readonly io: new (options: object) => Resolver };
    };
    /**
     * What is in use of the memory that the firmware lives in, garbage left out, and that with what
     * it can still get; left out by a board that does not know.
     */
    readMemory?(): { readonly usedBytes: number; readonly limitBytes: number };
    /**
     * Collects garbage now. An engine that collects only when it runs out meets its worst moment
     * with what came before still in memory; left out by a board with memory to spare.
     */
    collectGarbage?(): void;
    /** The interface to the server; left out by a board that cannot tell. */
    readonly link?: {
      isUp(): boolean;
      /** The signal of the radio; null on a wire, and while unknown. */
      signalDbm(): number | null;
    };
    /** What this build sets otherwise than the firmware does by itself. */
    readonly settings?: {
      readonly trialMs?: number;
      readonly firstPollMsMax?: number;
      readonly plainHttp?: boolean;
      /** The hosts stand in a list, or in a text with commas between. */
      readonly redirectHosts?: string | readonly string[] | undefined;
      readonly unknownBootloader?: "refuse" | "accept";
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

/**
 * The socket below HTTPS: what a TCP socket is, and in its options the board's TCP and with whom it
 * may speak. src/device has one over the SDK's TLS; a host may provide its own.
 */
declare module "sluice/secure-socket" {
  import type board from "sluice/board";
  import type { Socket, SocketOptions } from "sluice/board";
  export interface SecureOptions {
    readonly serverName: string;
    /** Certificates in DER. */
    readonly authorities: readonly Uint8Array[];
    readonly client: {
      readonly certificates: readonly Uint8Array[];
      /** The number d of the key on P-256, 32 bytes. */
      readonly privateKey: Uint8Array;
    } | null;
    /** Null while the device does not know the time. */
    readonly unixMs: number | null;
  }
  export interface SecureSocketOptions extends SocketOptions {
    readonly TCP: typeof board.network.socket;
    readonly secure: SecureOptions;
  }
  /** Ends with `onError` of an error named `TlsError`, whose message is the reason. */
  const SecureSocket: new (options: SecureSocketOptions) => Socket;
  export default SecureSocket;
}

/** The standard globals that `text-globals.ts` installs where the engine has none. */
declare var TextEncoder: { new (): { encode(text: string): Uint8Array<ArrayBuffer> } };
declare var TextDecoder: { new (): { decode(bytes: Uint8Array | ArrayBuffer): string } };
