import type { Http } from "../ports/http.ts";
import { fetchRange, type RangeFailure } from "./range.ts";

export interface SmallFileRequest {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /**
   * What the server says; the caller holds it against a limit of its own, because all of it is kept
   * in memory.
   */
  readonly fileBytes: number;
  readonly timeoutMs: number;
}

export type SmallFile =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly failure: RangeFailure; readonly retryAfterMs: number | null };

/** Fetches a whole file that fits the memory, such as a configuration document. */
export async function fetchSmallFile(http: Http, request: SmallFileRequest): Promise<SmallFile> {
  const { fileBytes, url, headers, timeoutMs } = request;
  const bytes = new Uint8Array(fileBytes);
  let filled = 0;
  const result = await fetchRange(
    http,
    { url, headers, timeoutMs, fromBytes: 0, toBytes: fileBytes, totalBytes: fileBytes },
    (piece) => {
      bytes.set(piece, filled);
      filled += piece.length;
      return true;
    },
  );
  return result.ok ? { ok: true, bytes } : result;
}
