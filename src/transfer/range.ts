import type { Http, HttpFailure, HttpHead } from "../ports/http.ts";
import type { ResponseDefect } from "../protocol/http-framing.ts";
import { retryAfterMs } from "./exchange.ts";

export type RangeFailure =
  /** The link broke or the server took too long: try again. */
  | "network"
  /** 5xx or 429: try again, not before `retryAfterMs`. */
  | "server-error"
  /** 404 or 410: the offer may have been withdrawn. */
  | "artifact-missing"
  /** Anything but the exact range that was asked for, a 200 included. */
  | "response-invalid"
  /** It cannot be read as HTTP/1.1, or its head is too large, or it is in a coding: try again. */
  | ResponseDefect
  /** This device cannot fetch from such an address. */
  | "unsupported-url"
  | "url-too-long"
  | "url-ipv6"
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

/**
 * Fetches exactly one range (RFC 9110, 14.2). Bytes reach `sink` only after the status and
 * `Content-Range` proved that they are the ones asked for, so a server that ignores ranges can
 * never write the start of a file into its middle. The sink may keep what it got when the exchange
 * then breaks.
 */
export function fetchRange(
  http: Http,
  request: RangeRequest,
  sink: (bytes: Uint8Array) => boolean,
): Promise<RangeResult> {
  const wantedBytes = request.toBytes - request.fromBytes;
  return new Promise((resolve) => {
    let receivedBytes = 0;
    let refusal: RangeResult | null = null;
    const fail = (failure: RangeFailure, waitMs: number | null = null): RangeResult => ({
      ok: false,
      failure,
      retryAfterMs: waitMs,
    });
    http.send(
      {
        method: "GET",
        url: request.url,
        headers: { ...request.headers, range: `bytes=${request.fromBytes}-${request.toBytes - 1}` },
        body: null,
        timeoutMs: request.timeoutMs,
        bodyBytesMax: wantedBytes,
      },
      {
        head(head) {
          refusal = judge(head, request, fail);
          return refusal === null;
        },
        body(bytes) {
          receivedBytes += bytes.length;
          if (receivedBytes > wantedBytes) refusal = fail("response-invalid");
          else if (!sink(bytes)) refusal = fail("refused");
          return refusal === null;
        },
        done() {
          if (refusal === null && receivedBytes < wantedBytes) refusal = fail("network");
          resolve(refusal ?? { ok: true });
        },
        failed(failure) {
          resolve(refusal ?? fail(failures[failure]));
        },
      },
    );
  });
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
  "response-malformed": "response-malformed",
  "head-too-large": "head-too-large",
  "content-encoded": "content-encoded",
  "http-not-allowed": "http-not-allowed",
};

function judge(
  head: HttpHead,
  request: RangeRequest,
  fail: (failure: RangeFailure, waitMs?: number | null) => RangeResult,
): RangeResult | null {
  const { status } = head;
  if (status === 404 || status === 410) return fail("artifact-missing");
  if (status >= 500 || status === 429) return fail("server-error", retryAfterMs(head));
  const expected = `bytes ${request.fromBytes}-${request.toBytes - 1}/${request.totalBytes}`;
  if (status !== 206 || head.headers.get("content-range") !== expected)
    return fail("response-invalid");
  return null;
}
