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
  /** 400, 401, 403 and the like: an address that holds for a time only has expired, say. */
  | "artifact-denied"
  /** An answer that is neither of the range that was asked for nor of the whole file. */
  | "response-invalid"
  /** The answer is no HTTP/1.1, or its head is too large, or it is in a coding: try again. */
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
  | {
      readonly ok: false;
      readonly failure: RangeFailure;
      readonly retryAfterMs: number | null;
      /**
       * The length of the answer is another, or was not proven before it broke: what came may be
       * anything.
       */
      readonly isUnproven?: true;
    };

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
  /** The rest of the file is welcome too where a server sends all of it whatever is asked for. */
  readonly isRestWelcome?: boolean;
}

/** Parts that a server may make of one range: it need not send all that was asked for. */
const partsMax = 64;

/**
 * Fetches one range (RFC 9110, 14.2). Bytes reach `sink` only after the status, `Content-Range` and
 * the length proved which ones they are. A server may send less than was asked for (15.3.7): the
 * rest is asked for again. It may send more, or know no ranges (14.2): what lies before and behind
 * is passed over. The sink may keep what it got when the exchange then breaks, but what is
 * unproven.
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
    if (!result.ok || fromBytes >= request.toBytes) return result;
  }
  return fail("response-invalid"); // what came of it stays
}

/** One request; true when what the server granted came whole, which is a byte at least. */
function fetchPart(
  http: Http,
  request: RangeRequest,
  sink: (bytes: Uint8Array) => boolean,
): Promise<RangeResult> {
  const { fromBytes, toBytes, totalBytes } = request;
  return new Promise((resolve) =>
    http.send(
      {
        method: "GET",
        url: request.url,
        headers: { ...request.headers, range: `bytes=${fromBytes}-${toBytes - 1}` },
        body: null,
        timeoutMs: request.timeoutMs,
        bodyBytesMax: totalBytes, // the receiver goes by what is granted
      },
      new PartReceiver(request, sink, resolve),
    ),
  );
}

/** What an answer brings of the file. */
interface Grant {
  readonly firstBytes: number;
  /** Behind its last byte. */
  readonly endBytes: number;
  /** Only the end of the answer tells whether it is that long. */
  readonly isLengthUnsaid: boolean;
}

class PartReceiver implements HttpReceiver {
  readonly #request: RangeRequest;
  readonly #sink: (bytes: Uint8Array) => boolean;
  readonly #resolve: (result: RangeResult) => void;
  /** Two offsets in the file: the next byte that comes, and the end of what the sink takes. */
  #atBytes = 0;
  #wantedEndBytes = 0;
  #grant: Grant = { firstBytes: 0, endBytes: 0, isLengthUnsaid: false };
  #ended: RangeResult | null = null;

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
    if ("ok" in judged) {
      this.#ended = judged;
      return false;
    }
    const { toBytes, totalBytes, isRestWelcome } = this.#request;
    const isAll = head.status === 200 && isRestWelcome === true;
    this.#grant = judged;
    this.#atBytes = judged.firstBytes;
    this.#wantedEndBytes = Math.min(isAll ? totalBytes : toBytes, judged.endBytes);
    return true;
  }

  body(bytes: Uint8Array): boolean {
    const { endBytes, isLengthUnsaid } = this.#grant;
    const startBytes = this.#atBytes;
    this.#atBytes += bytes.length;
    const skipped = Math.max(0, this.#request.fromBytes - startBytes);
    const wanted = Math.max(0, Math.min(bytes.length, this.#wantedEndBytes - startBytes));
    const isOver = this.#wantedEndBytes < endBytes && this.#atBytes >= this.#wantedEndBytes;
    if (this.#atBytes > endBytes) this.#ended = { ...fail("response-invalid"), isUnproven: true };
    else if (skipped < wanted && !this.#sink(bytes.subarray(skipped, wanted)))
      this.#ended = this.#fail("refused");
    // What follows is not wanted, but as the proof of a length that was not said.
    else if (isOver && !isLengthUnsaid) this.#ended = { ok: true };
    return this.#ended === null;
  }

  done(): void {
    const { endBytes, isLengthUnsaid } = this.#grant;
    const cut = this.#fail(isLengthUnsaid ? "response-invalid" : "network");
    this.#resolve(this.#ended ?? (this.#atBytes < endBytes ? cut : { ok: true }));
  }

  failed(failure: HttpFailure): void {
    this.#resolve(this.#ended ?? this.#fail(failures[failure]));
  }

  #fail(failure: RangeFailure): RangeResult {
    const failed = fail(failure);
    return this.#grant.isLengthUnsaid ? { ...failed, isUnproven: true } : failed;
  }
}

function fail(
  failure: RangeFailure,
  waitMs: number | null = null,
): Extract<RangeResult, { ok: false }> {
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

/**
 * What the server grants, the first byte that was asked for among it; else why it grants nothing.
 */
function judge(head: HttpHead, request: RangeRequest): Grant | RangeResult {
  const { status, headers } = head;
  if (status === 404 || status === 410) return fail("artifact-missing");
  if (status >= 500 || status === 408 || status === 425 || status === 429)
    return fail("server-error", retryAfterMs(head));
  // Stores of objects answer 400 or 403 for an address whose time is over.
  if (status >= 400 && status !== rangeNotSatisfiable) return fail("artifact-denied");
  const { fromBytes, totalBytes } = request;
  const length = headers.get("content-length");
  const saidBytes = length === undefined ? null : parseContentLength(length);
  if (status === 200) {
    const isFile = saidBytes === totalBytes || (saidBytes === null && !isPage(headers));
    const grant = { firstBytes: 0, endBytes: totalBytes, isLengthUnsaid: saidBytes === null };
    return isFile ? grant : fail("response-invalid");
  }
  const range = parseContentRange(headers.get("content-range") ?? "");
  if (status !== 206 || range === null || isMultipart(headers)) return fail("response-invalid");
  const { firstBytes, lastBytes } = range;
  const endBytes = lastBytes + 1;
  const isOfFile = range.totalBytes === null || range.totalBytes === totalBytes;
  const isAsked = firstBytes <= fromBytes && fromBytes < endBytes && endBytes <= totalBytes;
  const isSaid = saidBytes === null || saidBytes === endBytes - firstBytes;
  if (!isOfFile || !isAsked || !isSaid) return fail("response-invalid");
  return { firstBytes, endBytes, isLengthUnsaid: false };
}

const rangeNotSatisfiable = 416;

/** A page for people is none of ours, however long it is. */
function isPage(headers: ReadonlyMap<string, string>): boolean {
  return (headers.get("content-type") ?? "").toLowerCase().includes("html");
}

/** Several ranges in a frame of their own, which nobody asked for. */
function isMultipart(headers: ReadonlyMap<string, string>): boolean {
  return (headers.get("content-type") ?? "").trim().toLowerCase().startsWith("multipart/");
}
