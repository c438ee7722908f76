import type { Http, HttpFailure, HttpHead, HttpReceiver } from "../ports/http.ts";
import { type Refused, refused, type TrustRefusal } from "./refusal.ts";

export type Fetched =
  | { readonly kind: "found"; readonly body: Uint8Array }
  | { readonly kind: "missing" }
  | { readonly kind: "failed"; readonly refusal: Refused };

/** Where files come from, by their address relative to a base. Nothing that it says is trusted. */
export interface MetadataSource {
  /** A longer body fails with `too-large` without being read to its end. */
  fetch(address: string, bytesMax: number): Promise<Fetched>;
}

/** Files below a URL that ends with "/". Each request has its time and its bytes. */
export function httpSource(
  http: Http,
  options: {
    readonly baseUrl: string;
    readonly timeoutMs: number;
    headers(url: string): Readonly<Record<string, string>>;
  },
): MetadataSource {
  return {
    fetch(address, bytesMax) {
      const url = `${options.baseUrl}${address}`;
      const { timeoutMs } = options;
      const headers = options.headers(url);
      const request = { method: "GET", url, headers, body: null, timeoutMs } as const;
      return new Promise((resolve) =>
        http.send({ ...request, bodyBytesMax: bytesMax }, new FileReceiver(resolve)),
      );
    },
  };
}

class FileReceiver implements HttpReceiver {
  readonly #resolve: (fetched: Fetched) => void;
  readonly #parts: Uint8Array[] = [];
  #status = 0;
  #isPage = false;
  #isFramed = true;

  constructor(resolve: (fetched: Fetched) => void) {
    this.#resolve = resolve;
  }

  head({ status, headers }: HttpHead): boolean {
    this.#status = status;
    // The page of a portal on the way says nothing of the file.
    this.#isPage = (headers.get("content-type") ?? "").toLowerCase().includes("html");
    this.#isFramed = headers.has("content-length") || headers.has("transfer-encoding");
    return status === 200 && !this.#isPage;
  }

  body(bytes: Uint8Array): boolean {
    this.#parts.push(bytes.slice());
    return true;
  }

  done(): void {
    const isFound = this.#status === 200;
    this.#resolve(isFound ? found(this.#parts, this.#isFramed) : answered(this.#status));
  }

  failed(failure: HttpFailure): void {
    const isAnswered = this.#isPage || (this.#status !== 0 && this.#status !== 200);
    this.#resolve(isAnswered ? answered(this.#status) : failed(failure));
  }
}

/**
 * A body that ends with its connection may have been cut: it is taken once its JSON is at its end.
 */
function found(parts: readonly Uint8Array[], isFramed: boolean): Fetched {
  const body = joined(parts);
  if (isFramed || isWholeObject(body)) return { kind: "found", body };
  const detail = `a connection that ended behind ${body.length} bytes, within the JSON`;
  return { kind: "failed", refusal: refused("response-malformed", detail) };
}

const [quote, backslash, opening, closing] = [34, 92, 123, 125] as const;

/** Whether as many objects end as begin, outside of texts; whether it is JSON is seen later. */
function isWholeObject(body: Uint8Array): boolean {
  let depth = 0;
  let inText = false;
  for (let index = 0; index < body.length; index += 1) {
    const octet = body[index];
    if (inText && octet === backslash) index += 1;
    else if (octet === quote) inText = !inText;
    else if (!inText && octet === opening) depth += 1;
    else if (!inText && octet === closing) depth -= 1;
  }
  return depth === 0 && !inText && body.includes(closing);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return only;
  const body = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    body.set(part, offset);
    offset += part.length;
  }
  return body;
}

/** Stores of objects answer 403 for what they do not have. */
function answered(status: number): Fetched {
  if (status === 403 || status === 404 || status === 410) return { kind: "missing" };
  return { kind: "failed", refusal: refused("server-error", `the server answered ${status}`) };
}

const reasons: Partial<Record<HttpFailure, TrustRefusal>> = {
  "body-too-large": "too-large",
  "response-malformed": "response-malformed",
  "head-too-large": "response-malformed",
  "content-encoded": "content-encoded",
};

function failed(failure: HttpFailure): Fetched {
  return {
    kind: "failed",
    refusal: refused(reasons[failure] ?? "network", `the transfer ended with ${failure}`),
  };
}
