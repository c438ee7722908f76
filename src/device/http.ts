import HTTPClient from "embedded:network/http/client";
import board from "sluice/board";
import type { Clock, TimerHandle } from "../ports/board.ts";
import type { Http, HttpFailure, HttpReceiver, HttpRequest } from "../ports/http.ts";

/** Read from the socket at once. */
const pieceBytesMax = 4096;

/** HTTP over the ECMA-419 client: a connection per request, no redirects. */
export function openHttp(clock: Clock): Http {
  return {
    send(request, receiver) {
      const target = parseUrl(request.url);
      if (target === null) clock.after(0, () => receiver.failed("bad-url"));
      else new Exchange(target, request, receiver, clock);
    },
  };
}

interface Target {
  readonly host: string;
  readonly port: number;
  readonly authority: string;
  readonly path: string;
}

class Exchange {
  readonly #client: HTTPClient;
  readonly #request: HttpRequest;
  readonly #receiver: HttpReceiver;
  readonly #timer: TimerHandle;
  #receivedBytes = 0;
  #expectedBytes: number | null = null;
  #sentBytes = 0;
  #ended = false;

  constructor(target: Target, request: HttpRequest, receiver: HttpReceiver, clock: Clock) {
    this.#request = request;
    this.#receiver = receiver;
    this.#timer = clock.after(request.timeoutMs, () => this.#fail("timeout"));
    const { socket, dns } = board.network;
    this.#client = new HTTPClient({
      host: target.host,
      port: target.port,
      socket,
      dns,
      onError: () => this.#fail("connection"),
    });
    this.#send(target);
  }

  #send(target: Target): void {
    const exchange = this;
    const { body, method } = this.#request;
    // The SDK's client sends `host` without the port; a second one would be malformed, so the port goes unsaid.
    const headers = new Map(Object.entries(this.#request.headers));
    if (body !== null) headers.set("content-length", String(body.length));
    this.#client.request({
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
      onDone() {
        exchange.#done();
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
    const length = headers.get("content-length");
    if (length !== undefined && this.#request.method !== "HEAD") {
      this.#expectedBytes = /^\d{1,10}$/.test(length) ? Number(length) : Number.NaN;
    }
    if (Number.isNaN(this.#expectedBytes)) this.#fail("connection");
    else if (!this.#receiver.head({ status, headers })) this.#fail("aborted");
    else if ((this.#expectedBytes ?? 0) > this.#request.bodyBytesMax) this.#fail("body-too-large");
  }

  #readable(count: number, read: (bytes: number) => ArrayBuffer | undefined): void {
    // Bounded by `count`: each turn takes some of it.
    for (let left = count; left > 0 && !this.#ended; ) {
      const piece = read(Math.min(left, pieceBytesMax));
      if (piece === undefined || piece.byteLength === 0) return;
      left -= piece.byteLength;
      this.#receivedBytes += piece.byteLength;
      if (this.#receivedBytes > this.#request.bodyBytesMax) this.#fail("body-too-large");
      else if (!this.#receiver.body(new Uint8Array(piece))) this.#fail("aborted");
    }
  }

  /** The client also says "done" when the connection closed early; the announced length tells the two apart. */
  #done(): void {
    if (this.#ended) return;
    if (this.#expectedBytes !== null && this.#receivedBytes < this.#expectedBytes) {
      this.#fail("connection");
      return;
    }
    this.#end();
    this.#receiver.done();
  }

  #fail(failure: HttpFailure): void {
    if (this.#ended) return;
    this.#end();
    this.#receiver.failed(failure);
  }

  #end(): void {
    this.#ended = true;
    this.#timer.cancel();
    this.#client.close();
  }
}

function parseUrl(url: string): Target | null {
  const match = /^http:\/\/([A-Za-z0-9.-]+)(?::(\d{1,5}))?(\/[^\s#]*)?$/.exec(url);
  const host = match?.[1];
  if (host === undefined) return null;
  const port = Number(match?.[2] ?? "80");
  if (port < 1 || port > 65_535) return null;
  return { host, port, authority: `${host}:${port}`, path: match?.[3] ?? "/" };
}
