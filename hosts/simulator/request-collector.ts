import type { HttpCall, SocketCall } from "./board/host-calls.ts";

/** More than any request of the firmware. */
const requestBytesMax = 64 * 1024;

/** Makes one request of what a firmware writes to a socket. */
export class RequestCollector {
  readonly #to: SocketCall;
  #bytes: Uint8Array = new Uint8Array(0);
  #isWhole = false;

  constructor(to: SocketCall) {
    this.#to = to;
  }

  /** Null until the request is whole, and behind it. */
  take(bytes: Uint8Array): { readonly call: HttpCall; readonly body: Uint8Array } | null {
    if (this.#isWhole) return null;
    const joined = new Uint8Array(this.#bytes.length + bytes.length);
    joined.set(this.#bytes);
    joined.set(bytes, this.#bytes.length);
    this.#bytes = joined;
    if (joined.length > requestBytesMax)
      throw new Error(`a request has more than ${requestBytesMax} bytes`);
    const headText = new TextDecoder("latin1").decode(joined);
    const headEnd = headText.indexOf("\r\n\r\n");
    if (headEnd < 0) return null;
    const [line = "", ...fields] = headText.slice(0, headEnd).split("\r\n");
    const [method = "", path = ""] = line.split(" ");
    const headers: Record<string, string> = {};
    for (const field of fields) {
      const colon = field.indexOf(":");
      headers[field.slice(0, colon).toLowerCase()] = field.slice(colon + 1).trim();
    }
    const body = joined.subarray(headEnd + 4);
    if (body.length < Number(headers["content-length"] ?? 0)) return null;
    this.#isWhole = true;
    return { call: { ...this.#to, method, path, headers }, body };
  }
}
