import type { Http, HttpFailure, HttpHead, HttpReceiver } from "../ports/http.ts";
import { parseContentRange } from "../protocol/content-range.ts";
import { parseContentLength, type ResponseDefect } from "../protocol/http-framing.ts";
import { retryAfterMs } from "./exchange.ts";

export type RangeFailure =
  /** The link broke or the server took too long: try again. */
  | "network"
  /** 5xx or 429: try again, not before `retryAfterMs`. */
  | "server-error"
  /** 404 or 410: the offer may have been withdrawn. */
  | "artifact-missing"
  /** 401 or 403: an address that holds for a time only has expired, say. */
  | "artifact-denied"
  /** Anything but the exact range that was asked for, a 200 included. */
  | "response-invalid"
  /** It cannot be read as HTTP/1.1, or its head is too large, or it is in a coding: try again. */
  | ResponseDefect
  /** This device cannot fetch from such an address. */
  | "unsupported-url"
  | "url-too-long"
  | "url-ipv6"
  /** The server sends the device elsewhere, where it does not go. */
  | "redirect-refused"
  /** Plain HTTP, which the settings do not allow. */
  | "http-not-allowed"
  /** The sink refused the bytes. */
  | "refused";

export type RangeResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly failure: RangeFailure; readonly retryAfterMs: number | null };

export interface RangeRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** First byte wanted. */
  readonly fromBytes: number;
  /** First byte no longer wanted. */
  readonly toBytes: number;
  /** What the whole file must be long. */
  readonly totalBytes: number;
  readonly timeoutMs: number;
}

/** Parts that a server may make of one range: it need not send all that was asked for. */
const partsMax = 64;

/**
 * Fetches exactly one range (RFC 9110, 14.2). Bytes reach `sink` only after the status and
 * `Content-Range` proved that they are of the ones asked for, so a server that ignores ranges can
 * never write the start of a file into its middle. A server may send less than was asked for
 * (15.3.7): the rest is asked for again. The sink may keep what it got when the exchange then breaks.
 */
export async function fetchRange(
  http: Http,
  request: RangeRequest,
  sink: (bytes: Uint8Array) => boolean,
): Promise<RangeResult> {
  let fromBytes = request.fromBytes;
  const counted = (bytes: Uint8Array): boolean => {
    fromBytes += bytes.length;
    return sink(bytes);
  };
  for (let parts = 0; parts < partsMax; parts += 1) {
    const result = await fetchPart(http, { ...request, fromBytes }, counted);
    if (!result.ok || fromBytes === request.toBytes) return result;
  }
  return fail("response-invalid"); // what came of it stays
}

/** One request; true when what the server granted came whole, which is a byte at least. */
function fetchPart(
  http: Http,
  request: RangeRequest,
  sink: (bytes: Uint8Array) => boolean,
): Promise<RangeResult> {
  const { fromBytes, toBytes } = request;
  return new Promise((resolve) =>
    http.send(
      {
        method: "GET",
        url: request.url,
        headers: { ...request.headers, range: `bytes=${fromBytes}-${toBytes - 1}` },
        body: null,
        timeoutMs: request.timeoutMs,
        bodyBytesMax: toBytes - fromBytes,
      },
      new PartReceiver(request, sink, resolve),
    ),
  );
}

class PartReceiver implements HttpReceiver {
  readonly #request: RangeRequest;
  readonly #sink: (bytes: Uint8Array) => boolean;
  readonly #resolve: (result: RangeResult) => void;
  #receivedBytes = 0;
  #grantedBytes = 0;
  #refusal: RangeResult | null = null;

  constructor(
    request: RangeRequest,
    sink: (bytes: Uint8Array) => boolean,
    resolve: (result: RangeResult) => void,
  ) {
    this.#request = request;
    this.#sink = sink;
    this.#resolve = resolve;
  }

  head(head: HttpHead): boolean {
    const judged = judge(head, this.#request);
    if (typeof judged === "number") this.#grantedBytes = judged;
    else this.#refusal = judged;
    return this.#refusal === null;
  }

  body(bytes: Uint8Array): boolean {
    this.#receivedBytes += bytes.length;
    if (this.#receivedBytes > this.#grantedBytes) this.#refusal = fail("response-invalid");
    else if (!this.#sink(bytes)) this.#refusal = fail("refused");
    return this.#refusal === null;
  }

  done(): void {
    const isCut = this.#receivedBytes < this.#grantedBytes;
    this.#resolve(this.#refusal ?? (isCut ? fail("network") : { ok: true }));
  }

  failed(failure: HttpFailure): void {
    this.#resolve(this.#refusal ?? fail(failures[failure]));
  }
}

function fail(failure: RangeFailure, waitMs: number | null = null): RangeResult {
  return { ok: false, failure, retryAfterMs: waitMs };
}

const failures: Readonly<Record<HttpFailure, RangeFailure>> = {
  timeout: "network",
  connection: "network",
  aborted: "network",
  "body-too-large": "response-invalid",
  tls: "network",
  "bad-url": "unsupported-url",
  "url-too-long": "url-too-long",
  "url-ipv6": "url-ipv6",
  "redirect-refused": "redirect-refused",
  "response-malformed": "response-malformed",
  "head-too-large": "head-too-large",
  "content-encoded": "content-encoded",
  "http-not-allowed": "http-not-allowed",
};

/** How many bytes the server grants, from the first that was asked for; else why it does not. */
function judge(head: HttpHead, request: RangeRequest): number | RangeResult {
  const { status, headers } = head;
  if (status === 404 || status === 410) return fail("artifact-missing");
  if (status === 401 || status === 403) return fail("artifact-denied");
  if (status >= 500 || status === 408 || status === 425 || status === 429)
    return fail("server-error", retryAfterMs(head));
  const { fromBytes, toBytes, totalBytes } = request;
  const length = headers.get("content-length");
  const saidBytes = length === undefined ? null : parseContentLength(length);
  // A server need not know ranges; a whole file of the right length is what was asked for then.
  const isWhole = fromBytes === 0 && toBytes === totalBytes;
  const isSaidWhole = saidBytes === totalBytes || isChunked(headers);
  if (status === 200 && isWhole && isSaidWhole) return totalBytes;
  const range = parseContentRange(headers.get("content-range") ?? "");
  if (status !== 206 || range === null || isMultipart(headers)) return fail("response-invalid");
  const isOfFile = range.totalBytes === null || range.totalBytes === totalBytes;
  const isAsked = range.firstBytes === fromBytes && range.lastBytes < toBytes;
  const grantedBytes = range.lastBytes + 1 - range.firstBytes;
  const isSaid = saidBytes === null || saidBytes === grantedBytes;
  return isOfFile && isAsked && isSaid ? grantedBytes : fail("response-invalid");
}

/**
 * The length of such a body is known at its end only, which is seen. A page for people is none of
 * ours, however long it is.
 */
function isChunked(headers: ReadonlyMap<string, string>): boolean {
  const isPage = (headers.get("content-type") ?? "").toLowerCase().includes("html");
  return !isPage && !headers.has("content-length") && headers.has("transfer-encoding");
}

/** Several ranges in a frame of their own, which nobody asked for. */
function isMultipart(headers: ReadonlyMap<string, string>): boolean {
  return (headers.get("content-type") ?? "").trim().toLowerCase().startsWith("multipart/");
}
