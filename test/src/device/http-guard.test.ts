import assert from "node:assert/strict";
import { test } from "node:test";
import type { Clock } from "../../../src/ports/board.ts";
import type { Http, HttpRequest } from "../../../src/ports/http.ts";
import { loadDeviceModule } from "../../support/device-module.ts";

interface SocketOptions {
  onReadable(count: number): void;
  onWritable(count: number): void;
  onError(error?: unknown): void;
}

interface RequestOptions {
  onHeaders(status: number, headers: Map<string, string>): void;
  onReadable(this: { read(count: number): ArrayBuffer }, count: number): void;
}

class BoardSocket {
  readonly options: SocketOptions;
  constructor(options: SocketOptions) {
    this.options = options;
  }
}

/** The SDK's client as far as a test needs it: the test plays the client's own code. */
class FakeClient {
  static last: FakeClient;
  readonly options: { socket: { io: new (options: object) => BoardSocket }; onError(): void };
  sent!: RequestOptions;
  closed = 0;

  constructor(options: FakeClient["options"]) {
    this.options = options;
    FakeClient.last = this;
  }

  request(options: RequestOptions): void {
    this.sent = options;
  }

  close(): void {
    this.closed += 1;
  }

  /** What the client does once the name is resolved. */
  connect(callbacks: Partial<SocketOptions>): BoardSocket {
    const { socket } = this.options;
    return new socket.io({ ...socket, address: "127.0.0.1", ...callbacks });
  }

  /** Hands over a whole head, as after `onReadable` of the socket. */
  head(status: number, headers: Record<string, string>): void {
    this.sent.onHeaders(status, new Map(Object.entries(headers)));
  }

  body(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.sent.onReadable.call({ read: (count) => bytes.slice(0, count).buffer }, bytes.length);
  }
}

Object.assign(globalThis, { trace: () => undefined });
const { openHttp } = loadDeviceModule<{
  openHttp(clock: Clock, credentials: () => null): Http;
}>("http.ts", {
  "embedded:network/http/client": FakeClient,
  "sluice/board": { network: { socket: { io: BoardSocket }, dns: {} } },
  "sluice/secure-socket": class {},
});

const clock: Clock = { uptimeMs: () => 0, unixMs: () => null, after: () => ({ cancel() {} }) };
const plain: HttpRequest = {
  method: "GET",
  url: "http://fleet.test/x",
  headers: {},
  body: null,
  timeoutMs: 1000,
  bodyBytesMax: 100,
};

/** Sends a request and tells in one list what its receiver heard. */
function send(changes: Partial<HttpRequest> = {}, bodyThrows = false) {
  const heard: string[] = [];
  openHttp(clock, () => null).send(
    { ...plain, ...changes },
    {
      head({ status }) {
        heard.push(`head ${status}`);
        return true;
      },
      body(bytes) {
        if (bodyThrows) throw new Error("a defect of ours");
        heard.push(`body ${bytes.length}`);
        return true;
      },
      done: () => heard.push("done"),
      failed: (failure) => heard.push(failure),
    },
  );
  return { heard, client: FakeClient.last };
}

test("ends an exchange as broken when the client throws in a callback of its socket", () => {
  const { heard, client } = send();
  const socket = client.connect({
    onReadable() {
      throw new TypeError("malformed status line");
    },
  });
  socket.options.onReadable(10);
  socket.options.onReadable(10);
  assert.deepEqual(heard, ["connection"]);
  assert.equal(client.closed, 1);
});

test("lets what the receiver throws go on its way, since it is a defect", () => {
  const { client } = send({}, true);
  const socket = client.connect({ onReadable: () => client.body("abc") });
  client.head(200, { "content-length": "3" });
  assert.throws(() => socket.options.onReadable(3), /a defect of ours/);
});

test("ends an exchange whose head never ends", () => {
  const { heard, client } = send();
  let collectedBytes = 0;
  const socket = client.connect({
    onReadable(count) {
      collectedBytes += count;
    },
  });
  for (let part = 0; part < 40; part += 1) socket.options.onReadable(1000);
  assert.deepEqual(heard, ["connection"]);
  assert.ok(collectedBytes <= 16_384);
});

test("hands over heads and chunks byte by byte, so that the client puts nothing off", () => {
  const { client } = send({ bodyBytesMax: 1000 });
  const counts: number[] = [];
  const socket = client.connect({ onReadable: (count) => void counts.push(count) });
  socket.options.onReadable(3);
  client.head(200, { "transfer-encoding": "chunked" });
  socket.options.onReadable(2);
  assert.deepEqual(counts, [1, 1, 1, 1, 1]);
});

test("hands over a body of known length as it comes", () => {
  const { client } = send({ bodyBytesMax: 1000 });
  const counts: number[] = [];
  const socket = client.connect({ onReadable: (count) => void counts.push(count) });
  client.head(200, { "content-length": "500" });
  socket.options.onReadable(500);
  assert.deepEqual(counts, [500]);
});

test("tells of a socket that did not trust its server", () => {
  const { heard, client } = send();
  const socket = client.connect({ onError: () => heard.push("told the client") });
  socket.options.onError(Object.assign(new Error("certificate-name"), { name: "TlsError" }));
  assert.deepEqual(heard, ["tls"]);
});

test("counts no body as a head", () => {
  const { heard, client } = send({ bodyBytesMax: 1_000_000 });
  const socket = client.connect({ onReadable: () => {} });
  client.head(200, { "content-length": "50000" });
  for (let part = 0; part < 50; part += 1) socket.options.onReadable(1000);
  assert.deepEqual(heard, ["head 200"]);
});

test("opens no socket for a name that resolves after the exchange has ended", () => {
  const { heard, client } = send();
  client.options.onError();
  assert.deepEqual(heard, ["connection"]);
  assert.throws(() => client.connect({}), /the exchange is over/);
});
