import type { Http, HttpFailure } from "../ports/http.ts";
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
      return new Promise((resolve) => {
        const parts: Uint8Array[] = [];
        let status = 0;
        let isPage = false;
        http.send(
          { ...request, bodyBytesMax: bytesMax },
          {
            head(head) {
              status = head.status;
              // The page of a portal on the way says nothing of the file.
              isPage = (head.headers.get("content-type") ?? "").toLowerCase().includes("html");
              return status === 200 && !isPage;
            },
            body(bytes) {
              parts.push(bytes.slice());
              return true;
            },
            done: () => resolve(status === 200 ? found(parts) : answered(status)),
            failed: (failure) =>
              resolve(
                !isPage && (status === 0 || status === 200) ? failed(failure) : answered(status),
              ),
          },
        );
      });
    },
  };
}

function found(parts: readonly Uint8Array[]): Fetched {
  const [only] = parts;
  if (parts.length === 1 && only !== undefined) return { kind: "found", body: only };
  const body = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    body.set(part, offset);
    offset += part.length;
  }
  return { kind: "found", body };
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
