import board, { type Resolver, type Socket } from "sluice/board";
import SecureSocket from "sluice/secure-socket";
import { digits, isOf } from "../image/text-parts.ts";
import type { Clock, TimerHandle } from "../ports/board.ts";
import type { Http, HttpFailure, HttpHead, HttpReceiver, HttpRequest } from "../ports/http.ts";
import { type HttpAddress, parseHttpAddress } from "../protocol/http-address.ts";
import { parseContentLength } from "../protocol/http-framing.ts";
import { type ReaderState, ResponseReader, type ResponseSink } from "../protocol/http-response.ts";
import type { TlsCredentials } from "../tls/credentials.ts";

/** Read from the socket at once. */
const pieceBytesMax = 1024;
/** What `timeoutMs` is enough for: a longer answer has it again for each such part. */
const timedBytes = 65_536;

/**
 * HTTP/1.1 over the board's sockets: a connection per request, no redirects. Over TLS the server
 * must prove itself to the enrolled authorities; without any, `https` fails as `tls`.
 */
export function openHttp(clock: Clock, credentials: () => TlsCredentials | null): Http {
  return {
    send(request, receiver) {
      const address = parseHttpAddress(request.url);
      if (!address.ok) {
        clock.after(0, () => receiver.failed(address.reason));
        return;
      }
      const exchange = new Exchange(address, request, receiver, clock);
      if (!address.isSecure) {
        exchange.open((options) => {
          const { io: TCP, ...rest } = board.network.socket;
          return new TCP({ ...rest, ...options });
        });
        return;
      }
      const enrolled = credentials();
      if (enrolled === null) return exchange.refuse("tls", "no authority is enrolled");
      board.collectGarbage?.(); // a handshake needs the most
      const { authorities, client } = enrolled;
      const secure = { serverName: address.host, authorities, client, unixMs: clock.unixMs() };
      exchange.open(
        (options) => new SecureSocket({ ...options, TCP: board.network.socket, secure }),
      );
    },
  };
}

interface ConnectOptions {
  readonly address: string;
  readonly host: string;
  readonly port: number;
  onReadable(count: number): void;
  onWritable(count: number): void;
  onError(error?: unknown): void;
}

type Connect = (options: ConnectOptions) => Socket;

/**
 * One request and its answer. It owns a timer, a resolver and a socket, and closes all of them when
 * it ends, however it ends.
 */
class Exchange implements ResponseSink {
  readonly #address: HttpAddress;
  readonly #request: HttpRequest;
  readonly #receiver: HttpReceiver;
  readonly #clock: Clock;
  #timer: TimerHandle;
  readonly #reader: ResponseReader;
  /** Made when something comes: a handshake needs the memory before. */
  #piece: Uint8Array | null = null;
  #resolver: Resolver | null = null;
  #socket: Socket | null = null;
  /** Head and body that were not sent yet; null before the socket takes any of it. */
  #unsent: Uint8Array[] | null = null;
  #receivedBytes = 0;
  #ended = false;
  #inReceiver = false;

  constructor(address: HttpAddress, request: HttpRequest, receiver: HttpReceiver, clock: Clock) {
    this.#address = address;
    this.#request = request;
    this.#receiver = receiver;
    this.#clock = clock;
    this.#reader = new ResponseReader(request.method, this);
    this.#timer = this.#timed();
  }

  #timed(): TimerHandle {
    return this.#clock.after(this.#request.timeoutMs, () => this.#fail("timeout"));
  }

  open(connect: Connect): void {
    const { host } = this.#address;
    try {
      if (isIpv4(host)) this.#connect(connect, host);
      else this.#resolve(connect);
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

  head(read: HttpHead): boolean {
    const head: HttpHead = { ...read, unixMs: this.#clock.unixMs() };
    if (!this.#tell(() => this.#receiver.head(head))) {
      this.#fail("aborted");
      return false;
    }
    const isBodyless = this.#request.method === "HEAD" || head.status === 204;
    const length = isBodyless ? null : parseContentLength(head.headers.get("content-length") ?? "");
    if (length === null || length <= this.#request.bodyBytesMax) return true;
    this.#fail("body-too-large");
    return false;
  }

  body(bytes: Uint8Array): boolean {
    const before = this.#receivedBytes;
    this.#receivedBytes += bytes.length;
    if (Math.floor(before / timedBytes) < Math.floor(this.#receivedBytes / timedBytes)) {
      this.#timer.cancel();
      this.#timer = this.#timed();
    }
    if (this.#receivedBytes > this.#request.bodyBytesMax) this.#fail("body-too-large");
    else if (!this.#tell(() => this.#receiver.body(bytes))) this.#fail("aborted");
    return !this.#ended;
  }

  #resolve(connect: Connect): void {
    const { dns } = board.network;
    const resolver = new dns.io(dns);
    this.#resolver = resolver;
    resolver.resolve({
      host: this.#address.host,
      onResolved: (_, address) =>
        this.#guard(() => {
          this.#closeResolver();
          this.#connect(connect, address);
        }),
      onError: () => this.#guard(() => this.#fail("connection")),
    });
  }

  #connect(connect: Connect, address: string): void {
    const { host, port } = this.#address;
    const socket = connect({
      address,
      host,
      port,
      onReadable: (count) => this.#guard(() => this.#readable(count)),
      onWritable: (count) => this.#guard(() => this.#writable(count)),
      onError: (error) => this.#guard(() => this.#over(error)),
    });
    socket.format = "buffer";
    if (this.#ended) socket.close();
    else this.#socket = socket;
  }

  /**
   * Runs a callback of a socket or of a resolver, where nobody would catch and the board would
   * reset: what the SDK throws there ends the exchange. What the receiver throws is a defect and
   * goes on its way.
   */
  #guard(run: () => void): void {
    if (this.#ended) return;
    try {
      run();
    } catch (error) {
      if (this.#inReceiver) throw error;
      this.#fail("connection");
    }
  }

  #writable(count: number): void {
    this.#unsent ??= requestBytes(this.#address, this.#request);
    const unsent = this.#unsent;
    // Bounded by the request: each turn sends some of it.
    for (let room = count; room > 0 && this.#socket !== null; ) {
      const [next] = unsent;
      if (next === undefined) return;
      const bytes = Math.min(room, next.length);
      if (bytes === next.length) unsent.shift();
      else unsent[0] = next.subarray(bytes);
      room = Math.min(this.#socket.write(next.subarray(0, bytes)), room - bytes);
    }
  }

  #readable(count: number): void {
    this.#piece ??= new Uint8Array(pieceBytesMax);
    const piece = this.#piece;
    // Bounded by `count`: each turn takes some of it.
    for (let left = count; left > 0 && !this.#ended && this.#socket !== null; ) {
      const into = piece.subarray(0, Math.min(left, pieceBytesMax));
      const bytes = this.#socket.read(into);
      if (bytes === undefined || bytes === 0) return;
      left -= bytes;
      this.#read(this.#reader.take(into.subarray(0, bytes)));
    }
  }

  /** The socket is over: the other side closed, the link broke, or the server was not trusted. */
  #over(error: unknown): void {
    if (error instanceof Error && error.name === "TlsError") {
      trace(`warn: no trusted connection to ${this.#address.host}: ${error.message}\n`);
      this.#fail("tls");
      return;
    }
    this.#read(this.#reader.closed());
  }

  #read(state: ReaderState): void {
    if (state === "reading" || state === "stopped") return; // what stopped it has ended the exchange
    if (state === "cut") this.#fail("connection");
    else if (state !== "done") this.#fail(state);
    else if (!this.#ended) {
      this.#end();
      this.#tell(() => this.#receiver.done());
    }
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
    this.#unsent = [];
    this.#timer.cancel();
    this.#closeResolver();
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #closeResolver(): void {
    const resolver = this.#resolver;
    this.#resolver = null;
    resolver?.close();
  }
}

/** Head and body, to be sent one behind the other. */
function requestBytes(address: HttpAddress, request: HttpRequest): Uint8Array[] {
  const { host, port, path, isSecure } = address;
  const { method, headers, body } = request;
  const authority = port === (isSecure ? 443 : 80) ? host : `${host}:${port}`;
  let text = `${method} ${path} HTTP/1.1\r\nhost: ${authority}\r\n`;
  // What comes are to be the bytes of the file; and one answer is all that a connection is for.
  text += "accept-encoding: identity\r\nconnection: close\r\n";
  for (const [name, value] of Object.entries(headers)) text += `${name}: ${value}\r\n`;
  if (body !== null) text += `content-length: ${body.length}\r\n`;
  const head = new TextEncoder().encode(`${text}\r\n`);
  return body === null || body.length === 0 ? [head] : [head, body];
}

/** Needs no resolver. */
function isIpv4(host: string): boolean {
  const numbers = host.split(".");
  return numbers.length === 4 && numbers.every((number) => isOf(number, digits, 1, 3));
}
