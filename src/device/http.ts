import HTTPClient from "embedded:network/http/client";
import board, { type SocketOptions } from "sluice/board";
import type { Clock, TimerHandle } from "../ports/board.ts";
import type { Http, HttpFailure, HttpReceiver, HttpRequest } from "../ports/http.ts";

/** Read from the socket at once. */
const pieceBytesMax = 4096;

/**
 * From the first byte of a response to its body; the SDK's client collects header lines without a
 * limit of its own.
 */
const headBytesMax = 16_384;

/** HTTP over the ECMA-419 client: a connection per request, no redirects. */
export function openHttp(clock: Clock): Http {
  const socket = guardedSocket();
  return {
    send(request, receiver) {
      const target = parseUrl(request.url);
      if (target === null) clock.after(0, () => receiver.failed("bad-url"));
      else new Exchange(target, request, receiver, clock, socket);
    },
  };
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly path: string;
}

/** How the end of a body is known. */
type BodyEnd = { readonly bytes: number } | "chunked" | "close";

class Exchange {
  readonly #request: HttpRequest;
  readonly #receiver: HttpReceiver;
  readonly #timer: TimerHandle;
  #client: HTTPClient | null = null;
  #headBytes = 0;
  #receivedBytes = 0;
  /** Null until the head came. */
  #bodyEnd: BodyEnd | null = null;
  #sentBytes = 0;
  #ended = false;
  #inReceiver = false;

  constructor(
    target: Target,
    request: HttpRequest,
    receiver: HttpReceiver,
    clock: Clock,
    socket: object,
  ) {
    this.#request = request;
    this.#receiver = receiver;
    this.#timer = clock.after(request.timeoutMs, () => this.#fail("timeout"));
    try {
      this.#open(target, socket);
    } catch (error) {
      // A board without a network, or without a free socket. The receiver hears of it after `send`,
      // as of any failure.
      trace(`warn: no connection to ${target.host}: ${String(error)}\n`);
      clock.after(0, () => this.#fail("connection"));
    }
  }

  get ended(): boolean {
    return this.#ended;
  }

  /**
   * Runs a callback of the socket. The SDK's client trusts its server: a malformed status line or
   * chunk makes it throw there, where nobody catches and the board would reset. What the receiver
   * throws is a defect and goes on its way.
   */
  guard(run: () => void): void {
    if (this.#ended) return;
    try {
      run();
    } catch (error) {
      if (this.#inReceiver) throw error;
      this.#fail("connection");
    }
  }

  /** Counts what arrives before the client has handed over the whole head. */
  arrived(bytes: number): void {
    if (this.#bodyEnd !== null) return;
    this.#headBytes += bytes;
    if (this.#headBytes > headBytesMax) this.#fail("connection");
  }

  #open(target: Target, socket: object): void {
    const client = new HTTPClient({
      host: target.host,
      port: target.port,
      socket: { ...socket, exchange: this },
      dns: board.network.dns,
      onError: () => this.#fail("connection"),
    });
    this.#client = client;
    const exchange = this;
    const { body, method } = this.#request;
    // The SDK's client sends `host` without the port; a second one would be malformed, so the port
    // goes unsaid.
    const headers = new Map(Object.entries(this.#request.headers));
    if (body !== null) headers.set("content-length", String(body.length));
    client.request({
      method,
      path: target.path,
      headers,
      onHeaders(status, received) {
        exchange.#head(status, received);
      },
      onReadable(count) {
        exchange.#readable(count, (bytes) => this.read(bytes));
      },
      onWritable(count) {
        exchange.#writable(count, (bytes) => this.write(bytes));
      },
      onDone(error) {
        exchange.#done(error ?? null);
      },
    });
  }

  #writable(count: number, write: (bytes: Uint8Array) => void): void {
    const { body } = this.#request;
    if (this.#ended || body === null || this.#sentBytes === body.length) return;
    const part = body.slice(this.#sentBytes, this.#sentBytes + count);
    this.#sentBytes += part.length;
    write(part);
  }

  #head(status: number, headers: Map<string, string>): void {
    if (this.#ended) return;
    const end = this.#request.method === "HEAD" ? { bytes: 0 } : bodyEndOf(headers);
    this.#bodyEnd = end;
    if (end === null) this.#fail("connection");
    else if (!this.#tell(() => this.#receiver.head({ status, headers }))) this.#fail("aborted");
    else if (typeof end === "object" && end.bytes > this.#request.bodyBytesMax)
      this.#fail("body-too-large");
    else if (this.#request.method === "HEAD") this.#done(null); // the client would await a body
  }

  #readable(count: number, read: (bytes: number) => ArrayBuffer | undefined): void {
    // Bounded by `count`: each turn takes some of it.
    for (let left = count; left > 0 && !this.#ended; ) {
      const piece = read(Math.min(left, pieceBytesMax));
      if (piece === undefined || piece.byteLength === 0) return;
      left -= piece.byteLength;
      this.#receivedBytes += piece.byteLength;
      if (this.#receivedBytes > this.#request.bodyBytesMax) this.#fail("body-too-large");
      else if (!this.#tell(() => this.#receiver.body(new Uint8Array(piece)))) this.#fail("aborted");
    }
  }

  /**
   * The client says "done" also when the connection closed, then with an error. Where the close is
   * the end of the body, that is no failure; everywhere else only a whole body is.
   */
  #done(error: Error | null): void {
    if (this.#ended) return;
    if (!this.#isWhole(error)) {
      this.#fail("connection");
      return;
    }
    this.#end();
    this.#tell(() => this.#receiver.done());
  }

  #isWhole(error: Error | null): boolean {
    const end = this.#bodyEnd;
    if (end === null) return false;
    if (end === "close") return true;
    return end === "chunked" ? error === null : this.#receivedBytes >= end.bytes;
  }

  #fail(failure: HttpFailure): void {
    if (this.#ended) return;
    this.#end();
    this.#tell(() => this.#receiver.failed(failure));
  }

  #tell<T>(call: () => T): T {
    this.#inReceiver = true;
    const answer = call();
    this.#inReceiver = false;
    return answer;
  }

  #end(): void {
    this.#ended = true;
    this.#timer.cancel();
    this.#client?.close();
  }
}

/** The board's socket, with every callback under the guard of its exchange. */
function guardedSocket(): object {
  const { socket } = board.network;
  class GuardedSocket extends socket.io {
    constructor(options: SocketOptions & { readonly exchange: Exchange }) {
      const { exchange, onReadable, onWritable, onError, ...rest } = options;
      // A name may resolve after its exchange has ended: closing the client does not stop that.
      if (exchange.ended) throw new Error("the exchange is over");
      super({
        ...rest,
        onReadable(count) {
          exchange.arrived(count);
          exchange.guard(() => onReadable?.(count));
        },
        onWritable: (count) => exchange.guard(() => onWritable?.(count)),
        onError: (error) => exchange.guard(() => onError?.(error)),
      });
    }
  }
  return { ...socket, io: GuardedSocket };
}

/** RFC 9112, 6.3; null for a length that is none. */
function bodyEndOf(headers: ReadonlyMap<string, string>): BodyEnd | null {
  if (headers.has("transfer-encoding")) return "chunked";
  const length = headers.get("content-length");
  if (length === undefined) return "close";
  return /^\d{1,10}$/.test(length) ? { bytes: Number(length) } : null;
}

function parseUrl(url: string): Target | null {
  const match = /^http:\/\/([A-Za-z0-9.-]+)(?::(\d{1,5}))?(\/[^\s#]*)?$/.exec(url);
  const host = match?.[1];
  if (host === undefined) return null;
  const port = Number(match?.[2] ?? "80");
  if (port < 1 || port > 65_535) return null;
  return { host, port, path: match?.[3] ?? "/" };
}
