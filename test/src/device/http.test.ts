import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../../src/ports/board.ts";
import type { Http, HttpRequest } from "../../../src/ports/http.ts";
import type { TlsCredentials } from "../../../src/tls/credentials.ts";
import { loadDeviceModule } from "../../support/device-module.ts";
import { ManualClock } from "../../support/manual-clock.ts";

interface ClientOptions {
  readonly host: string;
  readonly port?: number;
  readonly socket: object;
  readonly dns: object;
  onError?(error: unknown): void;
}

interface RequestOptions {
  readonly method: string;
  readonly path: string;
  readonly headers: Map<string, string>;
  onHeaders(status: number, headers: Map<string, string>): void;
  onReadable(count: number): void;
  onWritable(count: number): void;
  onDone(error: unknown): void;
}

/** The SDK's client as far as an exchange sees it; the test plays the network. */
class FakeClient {
  static opened: FakeClient[] = [];
  static openError: Error | null = null;
  readonly options: ClientOptions;
  requested: RequestOptions | null = null;
  closed = 0;
  readonly written: Uint8Array[] = [];
  readonly asked: number[] = [];
  #readable: Uint8Array = new Uint8Array(0);

  constructor(options: ClientOptions) {
    if (FakeClient.openError !== null) throw FakeClient.openError;
    this.options = options;
    FakeClient.opened.push(this);
  }

  request(options: RequestOptions): object {
    this.requested = options;
    return this;
  }

  close(): void {
    this.closed += 1;
  }

  read(count: number): ArrayBuffer | undefined {
    this.asked.push(count);
    if (this.#readable.length === 0) return undefined;
    const bytes = this.#readable.slice(0, count);
    this.#readable = this.#readable.slice(bytes.length);
    return bytes.buffer;
  }

  write(bytes: Uint8Array): number {
    this.written.push(bytes);
    return 0;
  }

  // What the network does.

  head(status: number, headers: Record<string, string> = {}): void {
    this.requested?.onHeaders.call(this, status, new Map(Object.entries(headers)));
  }

  body(bytes: Uint8Array): void {
    this.#readable = bytes;
    this.requested?.onReadable.call(this, bytes.length);
  }

  writable(count: number): void {
    this.requested?.onWritable.call(this, count);
  }

  /** The whole response came. */
  finish(): void {
    this.requested?.onDone.call(this, null);
  }

  /** The connection failed or closed: the SDK's client ends the request with an error, then calls `onError`. */
  breakOff(): void {
    this.requested?.onDone.call(this, new Error());
    this.options.onError?.(undefined);
  }
}

const network = { socket: { io: class {} }, dns: { io: "dns" } };
Object.assign(globalThis, { trace: () => undefined });
class SecureSocket {}
const { openHttp } = loadDeviceModule<{
  openHttp(clock: Clock, credentials: () => TlsCredentials | null): Http;
}>("http.ts", {
  "embedded:network/http/client": FakeClient,
  "sluice/board": { network },
  "sluice/secure-socket": SecureSocket,
});
const enrolled: TlsCredentials = { authorities: [Uint8Array.of(1)], client: null };

const plain: HttpRequest = {
  method: "GET",
  url: "http://server.test:8080/path?query=1",
  headers: { accept: "application/json" },
  body: null,
  timeoutMs: 1000,
  bodyBytesMax: 100,
};

interface Run {
  readonly clock: ManualClock;
  /** What the receiver was told, in order. */
  readonly told: string[];
  readonly client: FakeClient;
}

function run(
  changes: Partial<HttpRequest> = {},
  answers: { head?: boolean; body?: boolean } = {},
  credentials: TlsCredentials | null = enrolled,
): Run {
  const clock = new ManualClock();
  const told: string[] = [];
  FakeClient.opened = [];
  openHttp(clock, () => credentials).send(
    { ...plain, ...changes },
    {
      head({ status, headers }) {
        told.push(`head ${status} ${JSON.stringify([...headers])}`);
        return answers.head ?? true;
      },
      body(bytes) {
        told.push(`body ${bytes.length}`);
        return answers.body ?? true;
      },
      done: () => void told.push("done"),
      failed: (failure) => void told.push(failure),
    },
  );
  const [client] = FakeClient.opened;
  return { clock, told, client: client as FakeClient };
}

const ofLength = (bytes: number) => ({ "content-length": String(bytes) });

test("asks for path and query on the host and port of the address", () => {
  const { client } = run();
  assert.deepEqual(
    { host: client.options.host, port: client.options.port },
    {
      host: "server.test",
      port: 8080,
    },
  );
  assert.equal(client.options.dns, network.dns);
  assert.equal(client.requested?.method, "GET");
  assert.equal(client.requested?.path, "/path?query=1");
  assert.deepEqual([...(client.requested?.headers ?? [])], [["accept", "application/json"]]);
});

test("takes port 80 and the root for an address that names neither", () => {
  const { client } = run({ url: "http://server.test" });
  assert.equal(client.options.port, 80);
  assert.equal(client.requested?.path, "/");
});

test("asks a server over TLS on port 443, with the name that it must prove and what was enrolled", () => {
  const { client } = run({ url: "https://server.test/x" });
  assert.equal(client.options.port, 443);
  const { secure, TCP } = client.options.socket as { secure: object; TCP: object };
  assert.equal(TCP, network.socket);
  assert.deepEqual(secure, { ...enrolled, serverName: "server.test", unixMs: null });
});

test("asks nobody over TLS without an enrolled authority", () => {
  const { clock, told } = run({ url: "https://server.test/" }, {}, null);
  clock.fireNext();
  assert.deepEqual(told, ["tls"]);
  assert.deepEqual(FakeClient.opened, []);
  assert.equal(clock.pending, 0);
});

test("tells of a server that was not trusted, once", () => {
  const { told, client } = run({ url: "https://server.test/" });
  const refusal = Object.assign(new Error("certificate-name"), { name: "TlsError" });
  client.options.onError?.(refusal);
  client.breakOff();
  assert.deepEqual(told, ["tls"]);
});

for (const url of [
  "ftp://server.test/",
  "http://",
  "http://server.test:0/",
  "http://server.test:65536/",
  "http://server.test:123456/",
  "http://user@server.test/",
  "http://server.test/a b",
  "http://server.test/#part",
  "/path",
])
  test(`ends an exchange with ${url} as bad-url, after send`, () => {
    const { clock, told } = run({ url });
    assert.deepEqual(told, []);
    clock.fireNext();
    assert.deepEqual(told, ["bad-url"]);
    assert.deepEqual(FakeClient.opened, []);
    assert.equal(clock.pending, 0);
  });

test("hands a response over as it lands, ends once, closes and leaves no timer", () => {
  const { clock, told, client } = run();
  client.head(200, ofLength(5));
  client.body(new Uint8Array(2));
  client.body(new Uint8Array(3));
  client.finish();
  client.breakOff();
  assert.deepEqual(told, ['head 200 [["content-length","5"]]', "body 2", "body 3", "done"]);
  assert.equal(client.closed, 1);
  assert.equal(clock.pending, 0);
});

test("reads at most 4,096 bytes from the socket at once", () => {
  const { told, client } = run({ bodyBytesMax: 10_000 });
  client.head(200, ofLength(9000));
  client.body(new Uint8Array(9000));
  assert.deepEqual(told.slice(1), ["body 4096", "body 4096", "body 808"]);
  assert.ok(client.asked.every((count) => count <= 4096));
});

test("sends a body with its length, in the parts that the socket takes", () => {
  const { client } = run({ method: "POST", body: Uint8Array.of(1, 2, 3, 4, 5) });
  assert.equal(client.requested?.headers.get("content-length"), "5");
  client.writable(2);
  client.writable(100);
  client.writable(100);
  assert.deepEqual(
    client.written.map((part) => [...part]),
    [
      [1, 2],
      [3, 4, 5],
    ],
  );
});

test("fails when the connection does not come about: that is no response without a body", () => {
  const { told, client } = run();
  client.breakOff();
  assert.deepEqual(told, ["connection"]);
});

test("fails when a connection closes before the head, and when it closes without an error", () => {
  const { told, client } = run();
  client.finish();
  assert.deepEqual(told, ["connection"]);
});

test("fails when fewer bytes came than the head announced", () => {
  const { told, client } = run();
  client.head(200, ofLength(5));
  client.body(new Uint8Array(4));
  client.breakOff();
  assert.deepEqual(told.slice(1), ["body 4", "connection"]);
});

test("fails when a chunked body breaks off, and takes one that ends", () => {
  const broken = run();
  broken.client.head(200, { "transfer-encoding": "chunked" });
  broken.client.body(new Uint8Array(4));
  broken.client.breakOff();
  assert.deepEqual(broken.told.slice(1), ["body 4", "connection"]);
  const whole = run();
  whole.client.head(200, { "transfer-encoding": "chunked" });
  whole.client.finish();
  assert.deepEqual(whole.told.slice(1), ["done"]);
});

test("takes the close for the end of a body that announced none", () => {
  const { told, client } = run();
  client.head(200);
  client.body(new Uint8Array(4));
  client.breakOff();
  assert.deepEqual(told.slice(1), ["body 4", "done"]);
});

test("expects no body of a HEAD, whatever length it announces", () => {
  const { told, client } = run({ method: "HEAD" });
  client.head(200, ofLength(1_000_000)); // the SDK's client would wait for it until the server closes
  assert.deepEqual(told.slice(1), ["done"]);
});

for (const length of ["", "-1", "1e3", "12345678901", "5, 5"])
  test(`fails on the length ${JSON.stringify(length)}`, () => {
    const { told, client } = run();
    client.head(200, { "content-length": length });
    assert.deepEqual(told, ["connection"]);
  });

test("ends a body that announces too much before it reads any of it", () => {
  const { told, client } = run();
  client.head(200, ofLength(101));
  client.body(new Uint8Array(101));
  assert.deepEqual(told.slice(1), ["body-too-large"]);
  assert.deepEqual(client.asked, []);
});

test("ends a body that turns out too long", () => {
  const { told, client } = run();
  client.head(200, { "transfer-encoding": "chunked" });
  client.body(new Uint8Array(100));
  client.body(new Uint8Array(1));
  assert.deepEqual(told.slice(1), ["body 100", "body-too-large"]);
});

test("takes a body of exactly the allowed size", () => {
  const { told, client } = run();
  client.head(200, ofLength(100));
  client.body(new Uint8Array(100));
  client.finish();
  assert.deepEqual(told.slice(1), ["body 100", "done"]);
});

test("ends at once when the receiver wants no body, or no more of it", () => {
  const atHead = run({}, { head: false });
  atHead.client.head(200, ofLength(5));
  atHead.client.body(new Uint8Array(5));
  assert.deepEqual(atHead.told.slice(1), ["aborted"]);
  assert.equal(atHead.client.closed, 1);
  const atBody = run({}, { body: false });
  atBody.client.head(200, ofLength(50));
  atBody.client.body(new Uint8Array(20));
  atBody.client.body(new Uint8Array(30));
  assert.deepEqual(atBody.told.slice(1), ["body 20", "aborted"]);
});

test("ends after the allowed time, and hears nothing that comes later", () => {
  const { clock, told, client } = run();
  client.head(200, ofLength(5));
  clock.fireNext();
  assert.equal(clock.nowMs, 1000);
  client.body(new Uint8Array(5));
  client.finish();
  assert.deepEqual(told.slice(1), ["timeout"]);
  assert.equal(client.closed, 1);
});

test("fails, after send and once, when the SDK cannot open a connection", () => {
  FakeClient.openError = new Error("no network");
  const { clock, told } = run();
  FakeClient.openError = null;
  assert.deepEqual(told, []);
  while (clock.fireNext());
  assert.deepEqual(told, ["connection"]);
});
