import { connect, type Socket } from "node:net";
import { type TcpSegment, tcpFlags } from "./packets.ts";

/** The server behind the wire. */
export interface Target {
  readonly host: string;
  readonly port: number;
}

/** How a connection of the board's went. */
export interface ConnectionEnd {
  readonly toBoardBytes: number;
  readonly toServerBytes: number;
  readonly isReached: boolean;
  /** Why the server was not reached; null also when the board gave up before. */
  readonly failure: string | null;
}

/** A TCP segment without the ends, which the network knows. */
export type Reply = Omit<TcpSegment, "sourcePort" | "targetPort">;

export interface ConnectionOptions {
  /** Where the board's connection leads. */
  readonly target: Target;
  /** Sequence number of the chip's SYN. */
  readonly chipSequence: number;
  send(reply: Reply): void;
  ended(end: ConnectionEnd): void;
}

/** Small frames, so that the few receive buffers of a chip hold several. */
const segmentBytesMax = 536;
const windowBytes = 4096;
/** Unacknowledged data is sent again after that long: the chip may have had no buffer. */
const repeatMs = 200;
const repeatsMax = 100;
/**
 * More than that waiting for the board, and the server is paused; for the server, and the board has
 * to send again.
 */
const queuedBytesMax = 64 * 1024;
/**
 * A connection on which nothing comes from the server for so long is no request of a board's any
 * more.
 */
const idleMsMax = 10 * 60_000;

/**
 * One TCP connection of the board, ended here and continued to its server (RFC 9293 as far as a
 * line without reordering needs it: in-order data, go-back-n, no options but the segment size).
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #socket: Socket;
  /** What the chip has not acknowledged, oldest first. */
  #queue: Buffer = Buffer.alloc(0);
  /** How much of the queue was sent. */
  #sentBytes = 0;
  /** Sequence number of the first byte of the queue. */
  #sequence = 1000;
  #expected: number;
  #chipWindow = 0;
  #isEstablished = false;
  #loopbackEnded = false;
  #finSent = false;
  #timer: NodeJS.Timeout | null = null;
  #repeats = 0;
  #isOver = false;
  #toBoardBytes = 0;
  #toServerBytes = 0;
  #failure: string | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#expected = (options.chipSequence + 1) >>> 0;
    this.#socket = connect({ ...options.target }, () => this.#accept());
    this.#socket.setTimeout(idleMsMax, () => this.reset());
    this.#socket.on("data", (data) => this.#fromLoopback(data));
    this.#socket.on("end", () => {
      this.#loopbackEnded = true;
      this.#push();
    });
    this.#socket.on("error", (error: NodeJS.ErrnoException) => {
      if (!this.#isEstablished) this.#failure = error.code ?? error.message;
      this.reset();
    });
  }

  /** The sequence number of the SYN that began the connection. */
  get chipSequence(): number {
    return this.#options.chipSequence;
  }

  /** One segment of the chip. */
  take(segment: TcpSegment): void {
    if (this.#isOver) return;
    if (segment.flags & tcpFlags.rst) {
      this.close();
      return;
    }
    if (segment.flags & tcpFlags.syn) {
      if (this.#isEstablished) this.#accept(); // our answer was lost
      return;
    }
    this.#chipWindow = segment.window;
    if (segment.flags & tcpFlags.ack) this.#acknowledged(segment.acknowledgement);
    const hasRoom = this.#socket.writableLength <= queuedBytesMax;
    const isNext = segment.sequence === this.#expected && hasRoom;
    const isFin = (segment.flags & tcpFlags.fin) !== 0;
    if (isNext) {
      if (segment.data.length > 0) this.#socket.write(Buffer.from(segment.data));
      this.#toServerBytes += segment.data.length;
      this.#expected = (this.#expected + segment.data.length + (isFin ? 1 : 0)) >>> 0;
      if (isFin) this.#socket.end();
    }
    if (segment.data.length > 0 || isFin) this.#send(tcpFlags.ack, Buffer.alloc(0), this.#next());
    this.#push();
  }

  /** Ends both sides at once and tells the chip. */
  reset(): void {
    if (this.#isOver) return;
    this.#send(tcpFlags.rst | tcpFlags.ack, Buffer.alloc(0), this.#next());
    this.close();
  }

  /** Forgets the connection without a word to the chip. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#stopTimer();
    this.#socket.destroy();
    this.#options.ended({
      toBoardBytes: this.#toBoardBytes,
      toServerBytes: this.#toServerBytes,
      isReached: this.#isEstablished,
      failure: this.#failure,
    });
  }

  #accept(): void {
    this.#isEstablished = true;
    this.#options.send({
      sequence: (this.#sequence - 1) >>> 0,
      acknowledgement: this.#expected,
      flags: tcpFlags.syn | tcpFlags.ack,
      window: windowBytes,
      data: Buffer.alloc(0),
      segmentBytesMax,
    });
  }

  #fromLoopback(data: Buffer): void {
    this.#queue = Buffer.concat([this.#queue, data]);
    if (this.#queue.length > queuedBytesMax) this.#socket.pause();
    this.#push();
  }

  #acknowledged(acknowledgement: number): void {
    const bytes = (acknowledgement - this.#sequence) >>> 0;
    const sent = this.#sentBytes + (this.#finSent ? 1 : 0);
    if (bytes === 0 || bytes > sent) return;
    const isFinAcknowledged = this.#finSent && bytes === sent;
    const dataBytes = Math.min(bytes, this.#queue.length);
    this.#queue = this.#queue.subarray(dataBytes);
    this.#sequence = (this.#sequence + dataBytes) >>> 0;
    this.#toBoardBytes += dataBytes;
    this.#sentBytes -= dataBytes;
    this.#repeats = 0;
    this.#stopTimer();
    if (this.#queue.length <= queuedBytesMax / 2) this.#socket.resume();
    if (isFinAcknowledged) this.close();
  }

  /** Sends what the chip's window allows. */
  #push(): void {
    if (this.#isOver) return;
    // Bounded by the queue: each turn sends some of it.
    while (this.#sentBytes < this.#queue.length) {
      const room = Math.min(segmentBytesMax, this.#chipWindow - this.#sentBytes);
      const piece = this.#queue.subarray(this.#sentBytes, this.#sentBytes + Math.max(0, room));
      if (piece.length === 0) break;
      this.#send(tcpFlags.ack | tcpFlags.psh, piece, this.#next());
      this.#sentBytes += piece.length;
    }
    if (this.#loopbackEnded && this.#sentBytes === this.#queue.length && !this.#finSent) {
      this.#send(tcpFlags.ack | tcpFlags.fin, Buffer.alloc(0), this.#next());
      this.#finSent = true;
    }
    const waits = this.#queue.length > 0 || this.#finSent;
    if (waits && this.#timer === null)
      this.#timer = setTimeout(() => {
        this.#timer = null;
        this.#repeat();
      }, repeatMs);
  }

  /** From the oldest byte that was not acknowledged. */
  #repeat(): void {
    this.#repeats += 1;
    if (this.#repeats > repeatsMax) {
      this.reset();
      return;
    }
    this.#sentBytes = 0;
    this.#finSent = false;
    // A window of 0 is probed with one byte, else the chip may never open it.
    if (this.#queue.length > 0 && this.#chipWindow === 0) {
      this.#send(tcpFlags.ack, this.#queue.subarray(0, 1), this.#sequence);
      this.#sentBytes = 1;
    }
    this.#push();
  }

  #next(): number {
    return (this.#sequence + this.#sentBytes + (this.#finSent ? 1 : 0)) >>> 0;
  }

  #send(flags: number, data: Uint8Array, sequence: number): void {
    this.#options.send({
      sequence,
      acknowledgement: this.#expected,
      flags,
      window: windowBytes,
      data,
    });
  }

  #stopTimer(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}
