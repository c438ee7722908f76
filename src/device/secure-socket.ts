import type { Socket, SocketOptions } from "sluice/board";
import type { SecureSocketOptions } from "sluice/secure-socket";
import type { Link } from "ssl/session";
import { SecureSession, TlsError } from "./secure-session.ts";

/** What encryption adds to a record: head, nonce and tag. */
const recordOverheadBytes = 29;
/** One record at a time is made of what is written. */
const writtenBytesMax = 4096;
/** What waits for the socket to take it: the client's part of a handshake is the most. */
const waitingBytesMax = 8192;

/** TLS over the board's TCP, with the SDK's session under guard; see `SecureSession`. */
export default class SecureSocket implements Socket {
  readonly #callbacks: SocketOptions;
  readonly #session: SecureSession;
  readonly #socket: Socket;
  readonly #link: Link;
  /** What the board's socket takes now. */
  #room = 0;
  #waiting: Uint8Array = new Uint8Array(0);
  #content: Uint8Array = new Uint8Array(0);
  #offset = 0;
  #over = false;
  format: "number" | "buffer" = "buffer";

  constructor(options: SecureSocketOptions) {
    const { onReadable, onWritable, onError, TCP, secure, ...rest } = options;
    this.#callbacks = {
      ...(onReadable && { onReadable }),
      ...(onWritable && { onWritable }),
      ...(onError && { onError }),
    };
    this.#session = new SecureSession(secure);
    this.#link = {
      readable: 0,
      read: (into) => void this.#socket.read(into),
      write: (packet) => this.#send(packet),
    };
    this.#socket = new TCP.io({
      ...TCP,
      ...rest,
      onReadable: (count) => this.#arrived(count),
      onWritable: (count) => this.#flush(count),
      onError: () => this.#end(undefined),
    });
  }

  read(into: Uint8Array): number;
  read(byteLength?: number): ArrayBuffer | number | undefined;
  read(wanted?: Uint8Array | number): ArrayBuffer | number | undefined {
    const left = this.#content.length - this.#offset;
    if (left === 0) return undefined;
    const start = this.#offset;
    if (this.format === "number") {
      this.#offset += 1;
      return this.#content[start];
    }
    const bytes = Math.min(typeof wanted === "object" ? wanted.length : (wanted ?? left), left);
    this.#offset += bytes;
    const part = this.#content.subarray(start, this.#offset);
    if (typeof wanted !== "object") return part.slice().buffer as ArrayBuffer;
    wanted.set(part);
    return bytes;
  }

  write(bytes: Uint8Array): number {
    this.#session.write(this.#link, bytes);
    this.#drain();
    return this.#writable;
  }

  close(): void {
    if (this.#over) return;
    this.#over = true;
    this.#socket.close();
  }

  get #writable(): number {
    const room = this.#room - this.#waiting.length - recordOverheadBytes;
    return Math.max(0, Math.min(room, writtenBytesMax));
  }

  #arrived(count: number): void {
    this.#link.readable = count;
    const wasEstablished = this.#session.isEstablished;
    if (!this.#attempt(() => this.#shakeHands())) return;
    if (!wasEstablished && this.#session.isEstablished) this.#tellWritable();
    // Bounded by what arrived: each turn takes a record of it.
    while (!this.#over && this.#session.isEstablished && this.#takeContent())
      this.#callbacks.onReadable?.(this.#content.length);
  }

  /**
   * Bounded by what arrived and by the messages of a handshake. What it says goes out in one piece:
   * a server that refuses one message may no longer take the next, and its refusal would not be
   * read.
   */
  #shakeHands(): void {
    while (!this.#session.isEstablished && this.#session.step(this.#link));
    this.#drain();
  }

  /** Answers whether there is content to be read; content that nobody read ends the reading. */
  #takeContent(): boolean {
    if (this.#offset < this.#content.length) return false;
    let content: Uint8Array | null | undefined;
    if (!this.#attempt(() => (content = this.#session.read(this.#link)))) return false;
    if (content === null) this.#end(undefined);
    this.#content = content ?? new Uint8Array(0);
    this.#offset = 0;
    return this.#content.length > 0;
  }

  #flush(count: number): void {
    this.#room = count;
    this.#drain();
    if (this.#session.isEstablished) this.#tellWritable();
    else this.#attempt(() => this.#shakeHands());
  }

  #tellWritable(): void {
    const writable = this.#writable;
    if (writable > 0 && !this.#over) this.#callbacks.onWritable?.(writable);
  }

  #send(packet: Uint8Array): void {
    const waiting = new Uint8Array(this.#waiting.length + packet.length);
    if (waiting.length > waitingBytesMax)
      throw new Error(`${waiting.length} bytes wait to be sent`);
    waiting.set(this.#waiting);
    waiting.set(packet, this.#waiting.length);
    this.#waiting = waiting;
  }

  #drain(): void {
    const bytes = Math.min(this.#waiting.length, this.#room);
    if (bytes === 0) return;
    this.#room = this.#socket.write(this.#waiting.subarray(0, bytes));
    this.#waiting = this.#waiting.slice(bytes);
  }

  /** The SDK's session throws on what it does not like: the connection is then over. */
  #attempt(run: () => unknown): boolean {
    if (this.#over) return false;
    try {
      run();
      return !this.#over;
    } catch (error) {
      const refusal = error instanceof TlsError ? error : new TlsError("handshake-malformed");
      this.#end(this.#session.isEstablished ? undefined : refusal);
      return false;
    }
  }

  #end(error: unknown): void {
    if (this.#over) return;
    this.close();
    this.#callbacks.onError?.(error);
  }
}
