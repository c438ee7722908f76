import { digits, isOf } from "../image/text-parts.ts";
import type { HttpFailure } from "../ports/http.ts";

/** Why an answer cannot be read; none of them says anything about what was asked for. */
export type ResponseDefect = Extract<
  HttpFailure,
  "response-malformed" | "head-too-large" | "content-encoded"
>;

/** How the end of a body is known (RFC 9112, 6.3). */
export type BodyFrame =
  | { readonly kind: "length"; readonly bytes: number }
  /** `bytes` is what a `Content-Length` beside it says, or null. */
  | { readonly kind: "chunked"; readonly bytes: number | null }
  | { readonly kind: "close" };

export type Framing =
  | { readonly ok: true; readonly frame: BodyFrame }
  | { readonly ok: false; readonly defect: ResponseDefect };

const lengthDigitsMax = 20;

/**
 * The frame of a body. Answers to `HEAD` and those with 204 or 304 have none, whatever their header
 * says. `Transfer-Encoding` goes before `Content-Length`, which must then agree with what came.
 */
export function framingOf(
  method: string,
  status: number,
  headers: ReadonlyMap<string, string>,
): Framing {
  if (method === "HEAD" || status === 204 || status === 304)
    return { ok: true, frame: { kind: "length", bytes: 0 } };
  if (isCoded(headers.get("content-encoding"))) return { ok: false, defect: "content-encoded" };
  const given = headers.get("content-length");
  const length = given === undefined ? null : parseContentLength(given);
  if (given !== undefined && length === null) return { ok: false, defect: "response-malformed" };
  const codings = listOf(headers.get("transfer-encoding")).filter((name) => name !== "identity");
  if (codings.length === 0) {
    const bytes = length;
    return { ok: true, frame: bytes === null ? { kind: "close" } : { kind: "length", bytes } };
  }
  if (codings.some((name) => name !== "chunked")) return { ok: false, defect: "content-encoded" };
  if (codings.length > 1) return { ok: false, defect: "response-malformed" };
  return { ok: true, frame: { kind: "chunked", bytes: length } };
}

/** `identity` is no coding; it has no place in the header, and some servers say it. */
function isCoded(contentEncoding: string | undefined): boolean {
  return listOf(contentEncoding).some((name) => name !== "identity");
}

/** A repeated length is one as long as every one says the same (RFC 9110, 8.6). */
export function parseContentLength(text: string): number | null {
  let length: number | null = null;
  for (const part of text.split(",")) {
    const said = part.trim();
    if (!isOf(said, digits, 1, lengthDigitsMax)) return null;
    const bytes = Number(said);
    if (!Number.isSafeInteger(bytes) || (length !== null && bytes !== length)) return null;
    length = bytes;
  }
  return length;
}

/** The members of a list (RFC 9110, 5.6.1) in lower case, without empty ones. */
function listOf(text: string | undefined): string[] {
  if (text === undefined) return [];
  const members = text.split(",").map((member) => member.trim().toLowerCase());
  return members.filter((member) => member !== "");
}
