// embedded:io/socket/tcp on the chip: the client half of ECMA-419's TCP class, polled from the main
// loop.

import timer from "timer";

/** The SDK's compiler turns `native("name").call(this, ...)` into the C function of that name. */
declare function native(name: string): (...parameters: unknown[]) => unknown;

/** native/tcp.c */
const network = Object.freeze({
  open(address: string, port: number) {
    return native("xs_sluice_tcp_open").call(this, address, port) as number;
  },
  poll(socket: number) {
    return native("xs_sluice_tcp_poll").call(this, socket) as number;
  },
  receive(socket: number) {
    return native("xs_sluice_tcp_receive").call(this, socket) as ArrayBuffer | undefined;
  },
  send(socket: number, bytes: Uint8Array) {
    return native("xs_sluice_tcp_send").call(this, socket, bytes) as number;
  },
  close(socket: number) {
    return native("xs_sluice_tcp_close").call(this, socket);
  },
});

const readiness = Object.freeze({ writable: 1, readable: 2, failed: 4 });

/** Between two looks at a socket: what one interval brings has to fit Zephyr's receive window. */
const pollMs = 10;
/**
 * Received in one look: 400 KB a second, faster than flash is written. With more, a fast network
 * fills the heap of XS.
 */
const receivesMax = 3;
/** Offered to a writer at once. */
const writableBytes = 1024;

interface Options {
  readonly address: string;
  readonly port: number;
  onReadable?(this: TCP, count: number): void;
  onWritable?(this: TCP, count: number): void;
  onError?(this: TCP, error?: unknown): void;
}

type Bytes = ArrayBuffer | Uint8Array;

export default class TCP {
  readonly #options: Options;
  #socket: number | null;
  #timer: object | null = null;
  #isConnected = false;
  #format = "buffer";
  #received = new Uint8Array(0);
  #position = 0;
  #unsent: Uint8Array | null = null;
  /** A write whose room was not offered again yet. */
  #offers = false;
  /** The peer has ended, or the link is broken; told once everything was read. */
  #isOver = false;

  constructor(options: Options) {
    this.#options = options;
    this.#socket = network.open(options.address, options.port);
    this.#wait();
  }

  get format(): string {
    return this.#format;
  }

  set format(format: string) {
    if (format !== "buffer" && format !== "number") throw new RangeError(`no format "${format}"`);
    this.#format = format;
  }

  read(wanted?: number | Bytes): ArrayBuffer | number | undefined {
    const available = this.#received.length - this.#position;
    if (available === 0) return undefined;
    if (this.#format === "number") {
      const byte = this.#received[this.#position];
      this.#position += 1;
      return byte;
    }
    const into = typeof wanted === "object" ? bytesOf(wanted) : null;
    const count = Math.min(available, into?.length ?? (wanted as number | undefined) ?? available);
    const from = this.#position;
    this.#position += count;
    if (into === null) return this.#received.slice(from, from + count).buffer as ArrayBuffer;
    into.set(this.#received.subarray(from, from + count));
    return count;
  }

  /** Answers how much more may be written now. */
  write(data: Bytes | number): number {
    if (this.#socket === null || !this.#isConnected) throw new Error("the socket is not connected");
    if (this.#unsent !== null) throw new Error("the socket takes no more yet");
    this.#unsent = typeof data === "number" ? Uint8Array.of(data) : bytesOf(data).slice();
    this.#offers = true;
    this.#send();
    return this.#unsent === null ? writableBytes : 0;
  }

  close(): void {
    if (this.#timer !== null) timer.clear(this.#timer);
    this.#timer = null;
    if (this.#socket !== null) network.close(this.#socket);
    this.#socket = null;
  }

  #wait(): void {
    this.#timer = timer.set(() => {
      this.#timer = null;
      this.#look();
      if (this.#socket !== null) this.#wait();
    }, pollMs);
  }

  #look(): void {
    if (this.#socket === null) return;
    const ready = network.poll(this.#socket);
    if (ready & readiness.failed) this.#isOver = true;
    if (ready & readiness.readable) this.#receive();
    if (this.#isOver) {
      if (this.#position === this.#received.length) this.#fail();
      return;
    }
    if (ready & readiness.writable) this.#takeMore();
  }

  #receive(): void {
    // Each turn tells of new bytes; callbacks may close the socket.
    for (let turn = 0; turn < receivesMax && this.#socket !== null && !this.#isOver; turn += 1) {
      const piece = this.#attempt(() => network.receive(this.#socket as number));
      if (piece === undefined) return;
      if (piece.byteLength === 0) {
        this.#isOver = true;
        return;
      }
      this.#append(new Uint8Array(piece));
      this.#options.onReadable?.call(this, this.#received.length - this.#position);
    }
  }

  #takeMore(): void {
    if (!this.#isConnected) {
      this.#isConnected = true;
      this.#options.onWritable?.call(this, writableBytes);
      return;
    }
    this.#send();
    if (this.#unsent !== null || !this.#offers) return;
    this.#offers = false;
    this.#options.onWritable?.call(this, writableBytes);
  }

  #send(): void {
    const unsent = this.#unsent;
    if (unsent === null || this.#socket === null) return;
    const sent = this.#attempt(() => network.send(this.#socket as number, unsent));
    if (sent !== undefined) this.#unsent = sent === unsent.length ? null : unsent.subarray(sent);
  }

  #append(piece: Uint8Array<ArrayBuffer>): void {
    const rest = this.#received.subarray(this.#position);
    this.#position = 0;
    if (rest.length === 0) {
      this.#received = piece;
      return;
    }
    const whole = new Uint8Array(rest.length + piece.length);
    whole.set(rest);
    whole.set(piece, rest.length);
    this.#received = whole;
  }

  /** A broken link is told by `onError` in its turn, not thrown at whoever happens to call. */
  #attempt<T>(run: () => T): T | undefined {
    try {
      return run();
    } catch {
      this.#isOver = true;
      return undefined;
    }
  }

  #fail(): void {
    this.close();
    this.#options.onError?.call(this, new Error("the connection is over"));
  }
}

function bytesOf(data: Bytes): Uint8Array {
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
