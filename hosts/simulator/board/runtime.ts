// Runs inside the simulated board, on every engine: the modules that the firmware imports, over `hostCall`.
// Bundled to one script; it may use ECMAScript, TextEncoder and TextDecoder and nothing else.
import {
  type BoardFacts,
  type HttpCall,
  hostCall,
  hostEvent,
  hostReply,
  MessageReader,
  message,
} from "./host-calls.ts";

/** What the engine puts into the global scope, and what it finds there. */
interface BoardGlobals {
  /** Answers at once: a status byte, then the result or the text of an error. */
  issueCommand(request: ArrayBuffer): ArrayBuffer;
  /** Called with the board's facts as JSON before the firmware runs. */
  powerOn(facts: string): void;
  /** Called with the firmware as a function. */
  runFirmware(firmware: (require: (name: string) => unknown) => void): void;
  /** One turn. */
  handleCommand(event: ArrayBuffer): void;
  trace(...texts: unknown[]): void;
}

const globals = globalThis as unknown as BoardGlobals & { Date: DateConstructor; Math: Math };
const utf8 = new TextEncoder();
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

function call(
  code: number,
  fields: Parameters<typeof message>[1] = [],
  ...tail: readonly Uint8Array[]
): MessageReader {
  const request = message(code, fields, ...tail);
  const reply = new Uint8Array(globals.issueCommand(request.buffer as ArrayBuffer));
  const reader = new MessageReader(reply);
  if (reply[0] === hostReply.error) throw new Error(text(reader.rest()));
  return reader;
}

let facts: BoardFacts;
const timers = new Map<number, { callback: () => void; brand: "Timer" }>();
const exchanges = new Map<number, SimulatedRequest>();
let lastId = 0;

globals.trace = (...texts) => void call(hostCall.log, [], utf8.encode(texts.join("")));

globals.powerOn = (json) => {
  facts = JSON.parse(json) as BoardFacts;
  installClock();
  installRandom(facts.seed);
};

globals.runFirmware = (firmware) => {
  firmware((name) => {
    const found = modules[name];
    if (found === undefined) throw new Error(`this board has no module "${name}"`);
    return found();
  });
};

globals.handleCommand = (event) => {
  const bytes = new Uint8Array(event);
  const reader = new MessageReader(bytes);
  const id = reader.u32();
  if (bytes[0] === hostEvent.timer) {
    const timer = timers.get(id);
    timers.delete(id);
    timer?.callback();
    return;
  }
  exchanges.get(id)?.handle(bytes[0] ?? 0, reader);
};

/** A module with a default export is that export itself, the way CommonJS has it. */
const modules: Record<string, () => unknown> = {
  "embedded:storage/flash": () => flash,
  "embedded:storage/key-value": () => keyValue,
  "embedded:network/http/client": () => HTTPClient,
  "embedded:io/analog": () => Analog,
  timer: () => timer,
  time: () => time,
  crypt: () => ({ Digest }),
  curve: () => Curve,
  ecp: () => ECPoint,
  ecdsa: () => ECDSA,
  "sluice/board": () => board,
  "sluice/secure-socket": () => SecureSocket,
};

const board = {
  get partitions() {
    return facts.roles;
  },
  get resetReason() {
    return facts.resetReason;
  },
  get battery() {
    return facts.battery;
  },
  get charging() {
    return call(hostCall.charging).u8() === 1;
  },
  network: { socket: { io: class {} }, dns: {} },
  entropy(byteLength: number): ArrayBuffer {
    const bytes = Uint8Array.from({ length: byteLength }, () => Math.random() * 256);
    return bytes.buffer;
  },
  restart() {
    call(hostCall.restart);
  },
  startWatchdog() {
    call(hostCall.watchdogStart);
  },
};

const flash = {
  open({ path }: { path: string }) {
    const index = facts.partitions.findIndex((partition) => partition.label === path);
    const partition = facts.partitions[index];
    if (partition === undefined) throw new Error(`no flash partition "${path}"`);
    return {
      close() {},
      read(into: Uint8Array, offset: number) {
        const fields = [["u8", index] as const, ["u32", offset] as const];
        into.set(call(hostCall.flashRead, [...fields, ["u32", into.length]]).rest());
        return into.length;
      },
      write(bytes: Uint8Array, offset: number) {
        call(
          hostCall.flashWrite,
          [
            ["u8", index],
            ["u32", offset],
          ],
          bytes,
        );
      },
      eraseBlock(start: number, end = start + 1) {
        call(hostCall.flashErase, [
          ["u8", index],
          ["u32", start],
          ["u32", end],
        ]);
      },
      status: () => ({
        size: partition.sizeBytes,
        blockLength: partition.sectorBytes,
        blocks: partition.sizeBytes / partition.sectorBytes,
        writeAlign: partition.writeBlockBytes,
        eraseValue: 0xff,
        offset: partition.chipOffsetBytes,
      }),
    };
  },
  [Symbol.iterator]: () => facts.partitions.map((partition) => partition.label)[Symbol.iterator](),
};

const keyValue = {
  open({ path }: { path: string }) {
    const name = (key: string): Uint8Array => utf8.encode(`${path}/${key}`);
    return {
      close() {},
      read(key: string): ArrayBuffer | undefined {
        const reply = call(hostCall.keyValueRead, [], name(key));
        return reply.u8() === 0 ? undefined : (reply.rest().slice().buffer as ArrayBuffer);
      },
      write(key: string, value: Uint8Array) {
        const named = name(key);
        call(hostCall.keyValueWrite, [["u8", named.length]], named, value);
      },
      delete(key: string) {
        call(hostCall.keyValueDelete, [], name(key));
      },
      [Symbol.iterator]() {
        const keys = JSON.parse(text(call(hostCall.keyValueKeys).rest())) as string[];
        const own = keys.filter((key) => key.startsWith(`${path}/`));
        return own.map((key) => key.slice(path.length + 1))[Symbol.iterator]();
      },
    };
  },
};

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
class SecureSocket {}

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
class HTTPClient {
  readonly options: ClientOptions;
  #id = 0;

  constructor(options: ClientOptions) {
    this.options = options;
  }

  request(options: RequestOptions): SimulatedRequest {
    lastId += 1;
    this.#id = lastId;
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

class Analog {
  readonly resolution = 12;
  read(): number {
    return call(hostCall.analogRead).u16();
  }
  close(): void {}
}

const timer = {
  set(callback: () => void, delayMs = 0) {
    lastId += 1;
    const id = lastId;
    const handle = { id, brand: "Timer" as const };
    timers.set(id, { callback, brand: "Timer" });
    call(hostCall.timerSet, [
      ["u32", id],
      ["f64", delayMs],
    ]);
    return handle;
  },
  clear(handle: { id: number }) {
    if (timers.delete(handle.id)) call(hostCall.timerClear, [["u32", handle.id]]);
  },
};

const time = {
  get ticks() {
    return call(hostCall.now).f64();
  },
};

class Digest {
  readonly #handle: number;

  constructor(type: string) {
    if (type !== "SHA256") throw new Error(`this board has no digest "${type}"`);
    this.#handle = call(hostCall.shaOpen).u32();
  }

  write(bytes: Uint8Array | ArrayBuffer): void {
    call(hostCall.shaWrite, [["u32", this.#handle]], new Uint8Array(bytes as Uint8Array));
  }

  close(): ArrayBuffer {
    return call(hostCall.shaClose, [["u32", this.#handle]])
      .rest()
      .slice().buffer as ArrayBuffer;
  }
}

class Curve {
  readonly name: string;
  constructor(name: string) {
    if (name !== "secp256r1") throw new Error(`this board has no curve "${name}"`);
    this.name = name;
  }
}

class ECPoint {
  readonly x: bigint;
  readonly y: bigint;
  constructor(x: bigint, y: bigint) {
    this.x = x;
    this.y = y;
  }
}

class ECDSA {
  readonly #key: ECPoint;
  constructor(key: ECPoint) {
    this.#key = key;
  }
  verify(digest: ArrayBuffer, signature: ArrayBuffer): boolean {
    const parts = [bytesOf(this.#key.x), bytesOf(this.#key.y)];
    const tail = [...parts, new Uint8Array(digest), new Uint8Array(signature)];
    return call(hostCall.verify, [], ...tail).u8() === 1;
  }
}

function bytesOf(value: bigint): Uint8Array {
  const hex = value.toString(16).padStart(64, "0");
  return Uint8Array.from({ length: 32 }, (_, index) =>
    Number.parseInt(hex.slice(2 * index, 2 * index + 2), 16),
  );
}

/** The board's time is the simulation's; the engine's own clock would tell the machine's. */
function installClock(): void {
  const unixMs = (): number => {
    const reply = call(hostCall.now);
    reply.f64();
    return reply.f64();
  };
  const RealDate = globals.Date;
  class BoardDate extends RealDate {
    constructor(...parts: unknown[]) {
      if (parts.length === 0) super(unixMs());
      else super(...(parts as [number]));
    }
    static override now(): number {
      return unixMs();
    }
  }
  globals.Date = BoardDate as DateConstructor;
}

/** Mulberry32: any generator does, as long as the seed decides. */
function installRandom(seed: number): void {
  let state = seed >>> 0;
  globals.Math.random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
