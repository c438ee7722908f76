/** Why an exchange ended without a whole response. */
export type HttpFailure =
  | "timeout"
  | "connection"
  /** The server could not prove that it is the one asked for, or did not accept this device. */
  | "tls"
  | "body-too-large"
  | "aborted"
  | "bad-url"
  /** Longer than `urlLengthMax`. */
  | "url-too-long"
  /** An IPv6 address, which no board of ours speaks. */
  | "url-ipv6"
  /** To a host that the settings do not name, to http from https, or a second one. */
  | "redirect-refused"
  /** Against RFC 9112: what came says nothing about what was asked for. */
  | "response-malformed"
  /** A head of more bytes, or more interim answers, than a device takes. */
  | "head-too-large"
  /** In a coding that nobody asked for: what came are not the bytes of the file. */
  | "content-encoded"
  /** The address is plain HTTP, which the settings do not allow. */
  | "http-not-allowed";

export interface HttpRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT";
  /** Absolute: http://host[:port]/path?query or https://... */
  readonly url: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | null;
  /** From the call to the last byte of the body; again for each 64 KiB of a longer one. */
  readonly timeoutMs: number;
  /** A longer body ends the exchange with `body-too-large`. */
  readonly bodyBytesMax: number;
}

export interface HttpHead {
  readonly status: number;
  /** Lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  /** What the device took for the time when it came; null or absent while it does not know. */
  readonly unixMs?: number | null;
}

/** Receives a response as it lands; exactly one of `done` and `failed` ends the exchange. */
export interface HttpReceiver {
  /** Answer false to end the exchange with `aborted` before the body is read. */
  head(head: HttpHead): boolean;
  /** The bytes are valid during the call only. Answer false to end the exchange with `aborted`. */
  body(bytes: Uint8Array): boolean;
  done(): void;
  failed(failure: HttpFailure): void;
}

/** One request at a time per device; follows no redirects. */
export interface Http {
  send(request: HttpRequest, receiver: HttpReceiver): void;
}
