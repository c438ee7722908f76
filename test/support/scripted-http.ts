import type { Http, HttpFailure, HttpReceiver, HttpRequest } from "../../src/ports/http.ts";

/** What the other side does with one request. */
export type Script =
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: Uint8Array | string;
      /** The connection breaks after so many bytes of the body. */
      readonly brokenAfterBytes?: number;
    }
  | { readonly failure: HttpFailure }
  /** Never ends: the test keeps `finish` and says when and how. */
  | { readonly hold: (finish: (script: Script) => void) => void }
  /** The port itself throws. */
  | { readonly throws: Error };

/**
 * Bytes handed over at once: not a divisor of a sector, so that sectors and pieces never meet by
 * chance.
 */
const pieceBytes = 1500;

/**
 * The HTTP port with a test on the other side. It keeps the contract of the port: bounded bodies,
 * one end per exchange, nothing before `send` has returned.
 */
export class ScriptedHttp implements Http {
  readonly requests: HttpRequest[] = [];
  /** The most exchanges that were open at once. */
  openMax = 0;
  /**
   * Bytes of bodies that were handed over, the last piece included when the receiver then broke
   * off.
   */
  deliveredBytes = 0;
  #open = 0;
  answer: (request: HttpRequest) => Script;

  constructor(answer: (request: HttpRequest) => Script) {
    this.answer = answer;
  }

  send(request: HttpRequest, receiver: HttpReceiver): void {
    this.requests.push(request);
    const script = this.answer(request);
    if ("throws" in script) throw script.throws;
    this.#open += 1;
    this.openMax = Math.max(this.openMax, this.#open);
    queueMicrotask(() => this.#play(script, request, receiver));
  }

  #play(script: Script, request: HttpRequest, receiver: HttpReceiver): void {
    if ("throws" in script) throw script.throws;
    if ("hold" in script) {
      script.hold((later) => this.#play(later, request, receiver));
      return;
    }
    this.#open -= 1;
    const counted: HttpReceiver = {
      head: (head) => receiver.head(head),
      done: () => receiver.done(),
      failed: (failure) => receiver.failed(failure),
      body: (bytes) => {
        this.deliveredBytes += bytes.length;
        return receiver.body(bytes);
      },
    };
    const failure = "failure" in script ? script.failure : respond(script, request, counted);
    if (failure === null) receiver.done();
    else receiver.failed(failure);
  }
}

/** The failure that ends the exchange, or null when the whole response was handed over. */
function respond(
  script: Extract<Script, { status: number }>,
  request: HttpRequest,
  receiver: HttpReceiver,
): HttpFailure | null {
  const { status, headers = {}, brokenAfterBytes } = script;
  const body =
    typeof script.body === "string"
      ? new TextEncoder().encode(script.body)
      : (script.body ?? new Uint8Array(0));
  if (!receiver.head({ status, headers: new Map(Object.entries(headers)) })) return "aborted";
  if (body.length > request.bodyBytesMax) return "body-too-large";
  const end = Math.min(body.length, brokenAfterBytes ?? body.length);
  for (let offset = 0; offset < end; offset += pieceBytes)
    if (!receiver.body(body.slice(offset, Math.min(offset + pieceBytes, end)))) return "aborted";
  return brokenAfterBytes === undefined ? null : "connection";
}

/** A server that has one file and understands single ranges (RFC 9110, 14.2). */
export function rangeOf(file: Uint8Array, request: HttpRequest): Script {
  const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers["range"] ?? "");
  if (match === null) return { status: 200, body: file };
  const [first, last] = [Number(match[1]), Math.min(Number(match[2]), file.length - 1)];
  if (first > last) return { status: 416, headers: { "content-range": `bytes */${file.length}` } };
  return {
    status: 206,
    headers: { "content-range": `bytes ${first}-${last}/${file.length}` },
    body: file.subarray(first, last + 1),
  };
}
