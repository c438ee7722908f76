import { type HttpCall, hostCall, hostEvent, type MessageReader } from "./host-calls.ts";
import { call, text, utf8 } from "./runtime-call.ts";
import { nextId, timer } from "./runtime-timer.ts";

/** Requests under way, by their id. */
export const exchanges = new Map<number, SimulatedRequest>();

interface RequestOptions {
  method?: string;
  path?: string;
  headers?: Map<string, string>;
  onHeaders?(status: number, headers: Map<string, string>, statusText: string): void;
  onReadable?(count: number): void;
  onWritable?(count: number): void;
  onDone?(error: Error | null): void;
}

/** Only says that a connection is to be a secure one: the host makes it, as `socket.secure` asks. */
export class SecureSocket {}

interface ClientOptions {
  readonly host: string;
  readonly port?: number;
  readonly socket?: { readonly secure?: SecureOptions };
  onError?(error: unknown): void;
}

interface SecureOptions {
  readonly serverName: string;
  readonly authorities: readonly Uint8Array[];
  readonly client: {
    readonly certificates: readonly Uint8Array[];
    readonly privateKey: Uint8Array;
  } | null;
  readonly unixMs: number | null;
}

class TlsError extends Error {
  override readonly name = "TlsError";
}

/** As the SDK's client: one connection, the request goes out when its body is whole, callbacks are later turns. */
export class HTTPClient {
  readonly options: ClientOptions;
  #id = 0;

  constructor(options: ClientOptions) {
    this.options = options;
  }

  request(options: RequestOptions): SimulatedRequest {
    this.#id = nextId();
    const request = new SimulatedRequest(this.#id, this, options);
    exchanges.set(this.#id, request);
    return request;
  }

  close(): void {
    if (exchanges.delete(this.#id)) call(hostCall.httpClose, [["u32", this.#id]]);
  }
}

/** More than any request of the firmware: its body is written in one go. */
const writableBytes = 16_384;

class SimulatedRequest {
  readonly #id: number;
  readonly #client: HTTPClient;
  readonly #options: RequestOptions;
  #readable: Uint8Array = new Uint8Array(0);

  constructor(id: number, client: HTTPClient, options: RequestOptions) {
    this.#id = id;
    this.#client = client;
    this.#options = options;
    const length = Number(options.headers?.get("content-length") ?? 0);
    if (length === 0) this.#send(new Uint8Array(0));
    else timer.set(() => options.onWritable?.call(this, writableBytes), 0);
  }

  write(bytes: Uint8Array): number {
    this.#send(bytes);
    return 0;
  }

  read(count = this.#readable.length): ArrayBuffer | undefined {
    if (this.#readable.length === 0) return undefined;
    const bytes = this.#readable.slice(0, count);
    this.#readable = this.#readable.slice(bytes.length);
    return bytes.buffer as ArrayBuffer;
  }

  handle(kind: number, reader: MessageReader): void {
    if (kind === hostEvent.httpHead) this.#headers(reader.u16(), reader.rest());
    else if (kind === hostEvent.httpBody) this.#body(reader.rest());
    else if (kind === hostEvent.httpResponse) {
      const status = reader.u16();
      const headers = reader.take(reader.u32());
      // The firmware may close the connection in any of its callbacks: nothing more then comes of it.
      this.#headers(status, headers);
      const body = reader.rest();
      if (body.length > 0 && this.#isOpen) this.#body(body);
      if (this.#isOpen) this.#end(true);
    } else if (kind === hostEvent.httpUntrusted) {
      exchanges.delete(this.#id);
      this.#client.options.onError?.(new TlsError(text(reader.rest())));
    } else this.#end(kind === hostEvent.httpDone);
  }

  get #isOpen(): boolean {
    return exchanges.has(this.#id);
  }

  #headers(status: number, json: Uint8Array): void {
    const headers = JSON.parse(text(json)) as Record<string, string>;
    this.#options.onHeaders?.call(this, status, new Map(Object.entries(headers)), "");
  }

  #body(bytes: Uint8Array): void {
    const whole = new Uint8Array(this.#readable.length + bytes.length);
    whole.set(this.#readable);
    whole.set(bytes, this.#readable.length);
    this.#readable = whole;
    this.#options.onReadable?.call(this, whole.length);
  }

  #end(done: boolean): void {
    exchanges.delete(this.#id);
    if (done) {
      this.#options.onDone?.call(this, null);
      return;
    }
    // As the SDK's client: a connection that breaks ends its request with an error, and then the client.
    this.#options.onDone?.call(this, new Error());
    this.#client.options.onError?.(undefined);
  }

  #send(body: Uint8Array): void {
    const { host, port, socket } = this.#client.options;
    const request: HttpCall = {
      host,
      port: port ?? 80,
      method: this.#options.method ?? "GET",
      path: this.#options.path ?? "/",
      headers: Object.fromEntries(this.#options.headers ?? []),
      secure: socket?.secure === undefined ? null : secureCall(socket.secure),
    };
    const json = utf8.encode(JSON.stringify(request));
    call(
      hostCall.httpSend,
      [
        ["u32", this.#id],
        ["u32", json.length],
      ],
      json,
      body,
    );
  }
}

function secureCall({ authorities, client, ...rest }: SecureOptions): HttpCall["secure"] {
  const privateKey = client === null ? null : toHex(client.privateKey);
  const certificates = (client?.certificates ?? []).map((der) => toHex(der));
  return { ...rest, authorities: authorities.map((der) => toHex(der)), certificates, privateKey };
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
