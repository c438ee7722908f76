import HTTPClient from "embedded:network/http/client";
import board from "sluice/board";
import SecureSocket from "sluice/secure-socket";
import { digits, isOf } from "../image/text-parts.ts";
import type { Clock, TimerHandle } from "../ports/board.ts";
import type { Http, HttpFailure, HttpReceiver, HttpRequest } from "../ports/http.ts";
import type { TlsCredentials } from "../tls/credentials.ts";
import { guardedSocket, type SocketGuard } from "./guarded-socket.ts";
import { type HttpAddress, parseHttpAddress } from "./http-address.ts";

/** Read from the socket at once. */
const pieceBytesMax = 4096;

/**
 * From the first byte of a response to its body; the SDK's client collects header lines without a
 * limit of its own.
 */
const headBytesMax = 16_384;

/**
 * HTTP over the ECMA-419 client: a connection per request, no redirects. Over TLS the server must
 * prove itself to the enrolled authorities; without any, `https` fails as `tls`.
 */
export function openHttp(clock: Clock, credentials: () => TlsCredentials | null): Http {
  const plain = { ...board.network.socket, io: guardedSocket(board.network.socket.io) };
  const secure = { io: guardedSocket(SecureSocket), TCP: board.network.socket };
  return {
    send(request, receiver) {
      const address = parseHttpAddress(request.url);
      if (address === null) {
        clock.after(0, () => receiver.failed("bad-url"));
        return;
      }
      const exchange = new Exchange(address, request, receiver, clock);
      if (!address.isSecure) return exchange.open(plain);
      const enrolled = credentials();
      if (enrolled === null) return exchange.refuse("tls", "no authority is enrolled");
      const { authorities, client } = enrolled;
      const trust = { serverName: address.host, authorities, client, unixMs: clock.unixMs() };
      exchange.open({ ...secure, secure: trust });
    },
  };
}

/** How the end of a body is known. */
type BodyEnd = { readonly bytes: number } | "chunked" | "close";

class Exchange implements SocketGuard {
  readonly #address: HttpAddress;
  readonly #request: HttpRequest;
  readonly #receiver: HttpReceiver;
  readonly #clock: Clock;
  readonly #timer: TimerHandle;
  #client: HTTPClient | null = null;
  #headBytes = 0;
  #receivedBytes = 0;
  /** Null until the head came. */
  #bodyEnd: BodyEnd | null = null;
  #sentBytes = 0;
  #ended = false;
  #inReceiver = false;

  constructor(address: HttpAddress, request: HttpRequest, receiver: HttpReceiver, clock: Clock) {
    this.#address = address;
    this.#request = request;
    this.#receiver = receiver;
    this.#clock = clock;
    this.#timer = clock.after(request.timeoutMs, () => this.#fail("timeout"));
  }

  open(socket: object): void {
    try {
      this.#open(socket);
    } catch (error) {
      // A board without a network, or without a free socket.
      this.refuse("connection", String(error));
    }
  }

  /** The receiver hears of it after `send`, as of any failure. */
  refuse(failure: HttpFailure, why: string): void {
    trace(`warn: no connection to ${this.#address.host}: ${why}\n`);
    this.#clock.after(0, () => this.#fail(failure));
  }

  get ended(): boolean {
    return this.#ended;
  }

  get takesPieces(): boolean {
    return this.#bodyEnd !== null && this.#bodyEnd !== "chunked";
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

  /** A server that was not trusted; every other error is for the client to make sense of. */
  takesError(error: unknown): boolean {
    if (!(error instanceof Error) || error.name !== "TlsError") return false;
    trace(`warn: no trusted connection to ${this.#address.host}: ${error.message}\n`);
    this.#fail("tls");
    return true;
  }

  arrived(bytes: number): void {
    if (this.#bodyEnd !== null) return;
    this.#headBytes += bytes;
    if (this.#headBytes > headBytesMax) this.#fail("connection");
  }

  #open(socket: object): void {
    const { host, port, path } = this.#address;
    const client = new HTTPClient({
      host,
      port,
      socket: { ...socket, exchange: this },
      dns: board.network.dns,
      onError: (error) => {
        if (!this.takesError(error)) this.#fail("connection");
      },
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
      path,
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

/** RFC 9112, 6.3; null for a length that is none. */
function bodyEndOf(headers: ReadonlyMap<string, string>): BodyEnd | null {
  if (headers.has("transfer-encoding")) return "chunked";
  const length = headers.get("content-length");
  if (length === undefined) return "close";
  return isOf(length, digits, 1, 10) ? { bytes: Number(length) } : null;
}
