import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../../src/ports/board.ts";
import type { Http, HttpRequest } from "../../../src/ports/http.ts";
import type { TlsCredentials } from "../../../src/tls/credentials.ts";
import { loadDeviceModule } from "../../support/device-module.ts";
import { ManualClock } from "../../support/manual-clock.ts";

interface SocketOptions {
  readonly address: string;
  readonly host: string;
  readonly port: number;
  readonly secure?: object;
  readonly TCP?: object;
  onReadable(count: number): void;
  onWritable(count: number): void;
  onError(error?: unknown): void;
}

/** A board's socket; the test plays the network. */
class FakeSocket {
  static opened: FakeSocket[] = [];
  static openError: Error | null = null;
  readonly options: SocketOptions;
  readonly written: string[] = [];
  readonly asked: number[] = [];
  format = "number";
  closed = 0;
  #received = Buffer.alloc(0);

  constructor(options: SocketOptions) {
    if (FakeSocket.openError !== null) throw FakeSocket.openError;
    this.options = options;
    FakeSocket.opened.push(this);
  }

  read(into: Uint8Array): number | undefined {
    this.asked.push(into.length);
    const count = Math.min(into.length, this.#received.length);
    if (count === 0) return undefined;
    into.set(this.#received.subarray(0, count));
    this.#received = this.#received.subarray(count);
    return count;
  }

  write(bytes: Uint8Array): number {
    this.written.push(Buffer.from(bytes).toString("latin1"));
    return Number.MAX_SAFE_INTEGER; // the exchange keeps to what it was told
  }

  close(): void {
    this.closed += 1;
  }

  /** What comes over the network. */
  receive(text: string): void {
    this.#received = Buffer.concat([this.#received, Buffer.from(text, "latin1")]);
    this.options.onReadable(this.#received.length);
  }
}

class FakeSecureSocket extends FakeSocket {}

interface Resolving {
  readonly host: string;
  onResolved(host: string, address: string): void;
  onError(): void;
}

class FakeResolver {
  static opened: FakeResolver[] = [];
  asked: Resolving | null = null;
  closed = 0;

  constructor() {
    FakeResolver.opened.push(this);
  }

  resolve(asked: Resolving): void {
    this.asked = asked;
  }

  close(): void {
    this.closed += 1;
  }
}

const network = { socket: { io: FakeSocket, pin: 7 }, dns: { io: FakeResolver, servers: [] } };
Object.assign(globalThis, { trace: () => undefined });
const { openHttp } = loadDeviceModule<{
  openHttp(clock: Clock, credentials: () => TlsCredentials | null): Http;
}>("http.ts", { "sluice/board": { network }, "sluice/secure-socket": FakeSecureSocket });
const enrolled: TlsCredentials = { authorities: [Uint8Array.of(1)], client: null };

const plain: HttpRequest = {
  method: "GET",
  url: "http://10.0.0.7:8080/path?query=1",
  headers: { accept: "application/json" },
  body: null,
  timeoutMs: 1000,
  bodyBytesMax: 100,
};

interface Run {
  readonly clock: ManualClock;
  /** What the receiver was told, in order. */
  readonly told: string[];
  readonly socket: FakeSocket;
  readonly resolver: FakeResolver;
}

function run(
  changes: Partial<HttpRequest> = {},
  answers: { head?: boolean; body?: boolean | (() => never) } = {},
  credentials: TlsCredentials | null = enrolled,
): Run {
  const clock = new ManualClock();
  const told: string[] = [];
  FakeSocket.opened = [];
  FakeResolver.opened = [];
  openHttp(clock, () => credentials).send(
    { ...plain, ...changes },
    {
      head({ status, headers }) {
        told.push(`head ${status} ${JSON.stringify([...headers])}`);
        return answers.head ?? true;
      },
      body(bytes) {
        told.push(`body ${bytes.length}`);
        return typeof answers.body === "function" ? answers.body() : (answers.body ?? true);
      },
      done: () => void told.push("done"),
      failed: (failure) => void told.push(failure),
    },
  );
  const [socket] = FakeSocket.opened;
  const [resolver] = FakeResolver.opened;
  return { clock, told, socket: socket as FakeSocket, resolver: resolver as FakeResolver };
}

const ofLength = (bytes: number) => `HTTP/1.1 200 OK\r\ncontent-length: ${bytes}\r\n\r\n`;

test("asks for path and query on the host and port of the address, and for the connection's end", () => {
  const { socket } = run();
  const { address, host, port } = socket.options;
  assert.deepEqual({ address, host, port }, { address: "10.0.0.7", host: "10.0.0.7", port: 8080 });
  assert.equal((socket.options as unknown as { pin: number }).pin, 7);
  socket.options.onWritable(1000);
  const head = "GET /path?query=1 HTTP/1.1\r\nhost: 10.0.0.7:8080\r\n";
  const ours = "accept-encoding: identity\r\nconnection: close\r\n";
  assert.deepEqual(socket.written, [`${head}${ours}accept: application/json\r\n\r\n`]);
  assert.equal(socket.format, "buffer");
});

test("takes port 80 and the root for an address that names neither, and names no port then", () => {
  const { socket } = run({ url: "HTTP://10.0.0.7?a=b" });
  assert.equal(socket.options.port, 80);
  socket.options.onWritable(1000);
  assert.match(socket.written.join(""), /^GET \/\?a=b HTTP\/1\.1\r\nhost: 10\.0\.0\.7\r\n/);
});

test("resolves a name first, and closes what resolved it", () => {
  const { resolver, told } = run({ url: "http://Server.Test/" });
  assert.equal(FakeSocket.opened.length, 0);
  assert.equal(resolver.asked?.host, "server.test");
  resolver.asked?.onResolved("server.test", "10.0.0.9");
  assert.equal(FakeSocket.opened[0]?.options.address, "10.0.0.9");
  assert.equal(resolver.closed, 1);
  assert.deepEqual(told, []);
});

test("opens no socket for a name that is not known, or resolves after the exchange has ended", () => {
  const unknown = run({ url: "http://server.test/" });
  unknown.resolver.asked?.onError();
  assert.deepEqual(unknown.told, ["connection"]);
  const late = run({ url: "http://server.test/" });
  late.clock.fireNext();
  late.resolver.asked?.onResolved("server.test", "10.0.0.9");
  assert.deepEqual(late.told, ["timeout"]);
  assert.deepEqual(FakeSocket.opened, []);
  assert.deepEqual([unknown.resolver.closed, late.resolver.closed], [1, 1]);
});

test("asks a server over TLS on port 443, with the name that it must prove and what was enrolled", () => {
  const { resolver } = run({ url: "https://server.test/x" });
  resolver.asked?.onResolved("server.test", "10.0.0.9");
  const [socket] = FakeSocket.opened as [FakeSocket];
  assert.equal(socket.constructor, FakeSecureSocket);
  assert.equal(socket.options.port, 443);
  assert.equal(socket.options.TCP, network.socket);
  const trust = { ...enrolled, serverName: "server.test", unixMs: null };
  assert.deepEqual(socket.options.secure, trust);
});

test("asks nobody over TLS without an enrolled authority", () => {
  const { clock, told } = run({ url: "https://10.0.0.7/" }, {}, null);
  clock.fireNext();
  assert.deepEqual(told, ["tls"]);
  assert.deepEqual(FakeSocket.opened, []);
  assert.equal(clock.pending, 0);
});

test("tells of a server that was not trusted, once", () => {
  const { told, socket } = run({ url: "https://10.0.0.7/" });
  const refusal = Object.assign(new Error("certificate-name"), { name: "TlsError" });
  socket.options.onError(refusal);
  socket.options.onError();
  assert.deepEqual(told, ["tls"]);
  assert.equal(socket.closed, 1);
});

for (const [url, reason] of [
  ["ftp://server.test/", "bad-url"],
  ["http://", "bad-url"],
  ["http://server.test:0/", "bad-url"],
  ["http://server.test:65536/", "bad-url"],
  ["http://server.test:123456/", "bad-url"],
  ["http://user@server.test/", "bad-url"],
  ["http://server.test/a b", "bad-url"],
  ["http://server.test/#part", "bad-url"],
  [`http://${"a".repeat(300)}/`, "bad-url"],
  [`http://${"a".repeat(64)}.test/`, "bad-url"],
  [`http://server.${"a".repeat(64)}:80/`, "bad-url"],
  ["http://server..test/", "bad-url"],
  ["http://.server.test/", "bad-url"],
  ["http://server.test../", "bad-url"],
  ["http://./", "bad-url"],
  ["/path", "bad-url"],
  ["http://[::1]:8080/", "url-ipv6"],
  ["https://[fe80::1]/x", "url-ipv6"],
  [`http://server.test/${"a".repeat(2030)}`, "url-too-long"],
] as const)
  test(`ends an exchange with ${url.slice(0, 40)} as ${reason}, after send`, () => {
    const { clock, told } = run({ url });
    assert.deepEqual(told, []);
    clock.fireNext();
    assert.deepEqual(told, [reason]);
    assert.deepEqual(FakeSocket.opened, []);
    assert.equal(clock.pending, 0);
  });

test("asks for an address of 2,048 characters", () => {
  const url = "http://10.0.0.7/".padEnd(2048, "a");
  const { socket } = run({ url });
  socket.options.onWritable(10_000);
  assert.equal(socket.written.join("").split(" ")[1]?.length, 2048 - "http://10.0.0.7".length);
});

test("hands a response over as it lands, ends once, closes and leaves no timer", () => {
  const { clock, told, socket } = run();
  socket.receive(`${ofLength(5)}he`);
  socket.receive("llo");
  socket.receive("more");
  socket.options.onError();
  assert.deepEqual(told, ['head 200 [["content-length","5"]]', "body 2", "body 3", "done"]);
  assert.equal(socket.closed, 1);
  assert.equal(clock.pending, 0);
});

test("reads at most 1,024 bytes from the socket at once", () => {
  const { told, socket } = run({ bodyBytesMax: 10_000 });
  socket.receive(ofLength(3000));
  socket.receive("x".repeat(3000));
  assert.deepEqual(told.slice(1), ["body 1024", "body 1024", "body 952", "done"]);
});

test("sends a body with its length, in the parts that the socket takes", () => {
  const { socket } = run({ method: "POST", body: Uint8Array.from(Buffer.from("12345")) });
  socket.options.onWritable(20);
  for (let part = 0; part < 10; part += 1) socket.options.onWritable(30);
  assert.ok(socket.written.every((part, index) => part.length <= (index === 0 ? 20 : 30)));
  const sent = socket.written.join("");
  assert.match(sent, /\r\ncontent-length: 5\r\n\r\n12345$/);
});

test("fails when a connection does not come about: that is no response without a body", () => {
  const { told, socket } = run();
  socket.options.onError();
  assert.deepEqual(told, ["connection"]);
});

test("fails when a body breaks off, and takes the close for the end of one that announced none", () => {
  const broken = run();
  broken.socket.receive(`${ofLength(5)}abcd`);
  broken.socket.options.onError();
  assert.deepEqual(broken.told.slice(1), ["body 4", "connection"]);
  const whole = run();
  whole.socket.receive("HTTP/1.1 200 OK\r\n\r\nabcd");
  whole.socket.options.onError();
  assert.deepEqual(whole.told.slice(1), ["body 4", "done"]);
});

test("names an answer that is none, and one in a coding", () => {
  for (const [text, failure] of [
    ["no status line\r\n\r\n", "response-malformed"],
    ["HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n\r\n", "content-encoded"],
    [`HTTP/1.1 200 OK\r\nx: ${"x".repeat(20_000)}`, "head-too-large"],
  ] as const) {
    const { told, socket, clock } = run();
    socket.receive(text);
    assert.deepEqual(told, [failure]);
    assert.deepEqual([socket.closed, clock.pending], [1, 0]);
  }
});

test("expects no body of a HEAD, whatever length it announces", () => {
  const { told, socket } = run({ method: "HEAD" });
  socket.receive(ofLength(1_000_000));
  assert.deepEqual(told.slice(1), ["done"]);
});

test("ends a body that announces too much before it hands over any of it", () => {
  const { told, socket } = run();
  socket.receive(`${ofLength(101)}${"x".repeat(101)}`);
  assert.deepEqual(told.slice(1), ["body-too-large"]);
});

test("ends a body that turns out too long, and takes one of exactly the allowed size", () => {
  const long = run();
  long.socket.receive("HTTP/1.1 200 OK\r\n\r\n");
  long.socket.receive("x".repeat(100));
  long.socket.receive("x");
  assert.deepEqual(long.told.slice(1), ["body 100", "body-too-large"]);
  const exact = run();
  exact.socket.receive(ofLength(100));
  exact.socket.receive("x".repeat(100));
  assert.deepEqual(exact.told.slice(1), ["body 100", "done"]);
});

test("ends at once when the receiver wants no body, or no more of it", () => {
  const atHead = run({}, { head: false });
  atHead.socket.receive(`${ofLength(5)}hello`);
  assert.deepEqual(atHead.told.slice(1), ["aborted"]);
  const atBody = run({}, { body: false });
  atBody.socket.receive(ofLength(5));
  atBody.socket.receive("h");
  atBody.socket.receive("ello");
  assert.deepEqual(atBody.told.slice(1), ["body 1", "aborted"]);
  assert.deepEqual([atHead.socket.closed, atBody.socket.closed], [1, 1]);
});

test("ends an exchange that takes too long, and hears nothing of it afterwards", () => {
  const { clock, told, socket } = run();
  clock.fireNext();
  socket.receive(ofLength(0));
  assert.deepEqual(told, ["timeout"]);
  assert.equal(clock.nowMs, 1000);
  assert.equal(socket.closed, 1);
});

test("keeps nothing from one request to the next: each resolves, and proves itself with what is enrolled then", () => {
  FakeSocket.opened = [];
  FakeResolver.opened = [];
  let known: TlsCredentials | null = enrolled;
  const http = openHttp(new ManualClock(), () => known);
  const ask = (): void =>
    http.send(
      { ...plain, url: "https://server.test/x" },
      { head: () => true, body: () => true, done() {}, failed() {} },
    );
  ask();
  known = { authorities: [Uint8Array.of(2)], client: null };
  ask();
  for (const [index, { asked }] of FakeResolver.opened.entries())
    asked?.onResolved("server.test", `10.0.0.${index}`);
  assert.deepEqual(
    FakeSocket.opened.map(({ options: { address, secure } }) => [address, secure]),
    [enrolled, known].map((told, index) => [
      `10.0.0.${index}`,
      { ...told, serverName: "server.test", unixMs: null },
    ]),
  );
});

test("gives a long answer its time for each 64 KiB, and none for what comes more slowly", () => {
  const length = 3 * 65_536;
  const { clock, told, socket } = run({ bodyBytesMax: length });
  socket.receive(`HTTP/1.1 200 OK\r\ncontent-length: ${length}\r\n\r\n`);
  clock.nowMs = 900;
  socket.receive("x".repeat(65_535));
  assert.equal(clock.nextMs, 1000);
  socket.receive("x");
  assert.deepEqual([clock.nextMs, clock.pending], [1900, 1]);
  clock.nowMs = 1800;
  socket.receive("x".repeat(65_536));
  assert.equal(clock.nextMs, 2800);
  clock.fireNext();
  assert.equal(told.at(-1), "timeout");
  assert.deepEqual([clock.pending, socket.closed], [0, 1]);
});

test("fails after send on a board without a network, or without a free socket", (t) => {
  FakeSocket.openError = new Error("no free socket");
  t.after(() => {
    FakeSocket.openError = null;
  });
  const { clock, told } = run();
  assert.deepEqual(told, []);
  clock.fireNext();
  assert.deepEqual(told, ["connection"]);
  assert.equal(clock.pending, 0);
});

test("ends an exchange as broken when the socket throws in a callback", () => {
  const { told, socket } = run();
  socket.write = () => {
    throw new Error("the socket takes no more yet");
  };
  socket.options.onWritable(10);
  socket.options.onWritable(10);
  assert.deepEqual(told, ["connection"]);
  assert.equal(socket.closed, 1);
});

test("lets what the receiver throws go on its way, since it is a defect", () => {
  const thrown = (): never => {
    throw new Error("a defect of ours");
  };
  const { socket } = run({}, { body: thrown });
  assert.throws(() => socket.receive(`${ofLength(5)}hello`), /a defect of ours/);
});
