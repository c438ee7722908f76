// ECMA-419 sockets and the resolver of a simulated board: the host carries what they say.
import { hostCall, hostEvent, type MessageReader, type SocketCall } from "./host-calls.ts";
import { call, text, utf8 } from "./runtime-call.ts";
import { nextId, timer } from "./runtime-timer.ts";

/** Open sockets, by their id. */
export const sockets = new Map<number, SimulatedSocket>();

interface SocketOptions {
  readonly host: string;
  readonly port: number;
  readonly secure?: SecureOptions;
  onReadable?(count: number): void;
  onWritable?(count: number): void;
  onError?(error?: unknown): void;
}

interface SecureOptions {
  readonly serverName: string;
  readonly authorities: readonly Uint8Array[];
  readonly client: {
    readonly certificates: readonly Uint8Array[];
    readonly privateKey: Uint8Array;
  } | null;
  readonly unixMs: number | null;
}

class TlsError extends Error {
  override readonly name = "TlsError";
}

/** What a board's socket takes before it has to wait. */
const writableBytes = 16_384;

/**
 * A TCP socket, and with `secure` one over TLS: the host then makes the connection as a board's
 * session would, and lets nothing through before the server was judged.
 */
export class SimulatedSocket {
  readonly #id = nextId();
  readonly #options: SocketOptions;
  #received: Uint8Array = new Uint8Array(0);
  format: "number" | "buffer" = "buffer";

  constructor(options: SocketOptions) {
    this.#options = options;
    const { host, port, secure } = options;
    const opened: SocketCall = { host, port, secure: secure ? secureCall(secure) : null };
    sockets.set(this.#id, this);
    call(hostCall.socketOpen, [["u32", this.#id]], utf8.encode(JSON.stringify(opened)));
  }

  read(wanted?: Uint8Array | number): ArrayBuffer | number | undefined {
    const received = this.#received;
    if (received.length === 0) return undefined;
    if (this.format === "number") {
      this.#received = received.subarray(1);
      return received[0];
    }
    const count = Math.min(
      typeof wanted === "object" ? wanted.length : (wanted ?? received.length),
      received.length,
    );
    this.#received = received.subarray(count);
    if (typeof wanted !== "object") return received.slice(0, count).buffer as ArrayBuffer;
    wanted.set(received.subarray(0, count));
    return count;
  }

  write(bytes: Uint8Array): number {
    if (!sockets.has(this.#id)) throw new Error("the socket is closed");
    call(hostCall.socketWrite, [["u32", this.#id]], bytes);
    return writableBytes;
  }

  close(): void {
    if (sockets.delete(this.#id)) call(hostCall.socketClose, [["u32", this.#id]]);
  }

  handle(kind: number, reader: MessageReader): void {
    const { onReadable, onWritable, onError } = this.#options;
    if (kind === hostEvent.socketWritable) onWritable?.call(this, writableBytes);
    else if (kind === hostEvent.socketOver) this.#end(onError, undefined);
    else if (kind === hostEvent.socketUntrusted)
      this.#end(onError, new TlsError(text(reader.rest())));
    else {
      this.#append(reader.u8() === 1, reader.rest());
      onReadable?.call(this, this.#received.length);
      if (this.#closesBehind && sockets.has(this.#id)) this.#end(onError, undefined);
    }
  }

  /** The connection ends with what was delivered last. */
  #closesBehind = false;

  #append(isLast: boolean, bytes: Uint8Array): void {
    this.#closesBehind = isLast;
    const whole = new Uint8Array(this.#received.length + bytes.length);
    whole.set(this.#received);
    whole.set(bytes, this.#received.length);
    this.#received = whole;
  }

  #end(onError: SocketOptions["onError"], error: unknown): void {
    this.close();
    onError?.call(this, error);
  }
}

/** Takes the board's TCP as an option; here the host makes both in one. */
export class SecureSocket extends SimulatedSocket {}

/** Names are resolved by the host, when it connects. */
export class Resolver {
  #timer: { id: number } | null = null;

  resolve(wanted: { host: string; onResolved?(host: string, address: string): void }): void {
    this.#timer = timer.set(() => {
      this.#timer = null;
      wanted.onResolved?.(wanted.host, wanted.host);
    });
  }

  close(): void {
    if (this.#timer !== null) timer.clear(this.#timer);
    this.#timer = null;
  }
}

function secureCall({ authorities, client, ...rest }: SecureOptions): SocketCall["secure"] {
  const privateKey = client === null ? null : toHex(client.privateKey);
  const certificates = (client?.certificates ?? []).map((der) => toHex(der));
  return { ...rest, authorities: authorities.map((der) => toHex(der)), certificates, privateKey };
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
