import assert from "node:assert/strict";
import { test } from "node:test";
import { messageBytesMax } from "../../../src/tls/server-records.ts";
import { loadDeviceModule } from "../../support/device-module.ts";

/** What the session under guard did with the records that it was given. */
class FakeSession {
  static last: FakeSession;
  readonly options: object;
  readonly records: Uint8Array[] = [];
  alert?: object;
  handshakeProcess = 0;
  certificateManager: object = {};
  isOver = false;

  constructor(options: object) {
    this.options = options;
    FakeSession.last = this;
  }

  initiateHandshake(): void {}

  /** As the SDK's: one record at a time. */
  handshake(link: Link): boolean {
    const packet = this.readPacket(link);
    if (packet !== undefined) this.records.push(new Uint8Array(packet));
    return this.isOver;
  }

  readPacket(_: Link): ArrayBuffer | undefined {
    throw new Error("the SDK's own reader is not for us");
  }
}

interface Link {
  readable: number;
  read(into: Uint8Array): void;
  write(bytes: Uint8Array): void;
}

interface Session extends FakeSession {
  readonly isEstablished: boolean;
  step(link: Link): boolean;
}

const seeds: ArrayBuffer[] = [];
const { SecureSession } = loadDeviceModule<{ SecureSession: new (secure: object) => Session }>(
  "secure-session.ts",
  {
    crypt: {},
    curve: class {},
    ecp: class {},
    ecdsa: class {},
    rng: { init: (seed: ArrayBuffer) => void seeds.push(seed) },
    "sluice/board": { entropy: (byteLength: number) => new ArrayBuffer(byteLength) },
    "ssl/handshake": { certificateVerify: { msgType: 15 }, finished: { msgType: 20 } },
    "ssl/session": FakeSession,
    "ssl/stream": class {},
  },
);

function open(): Session {
  return new SecureSession({
    serverName: "fleet.test",
    authorities: [],
    client: null,
    unixMs: 0,
  });
}

/** Gives bytes to a session in pieces, as a socket would, until it takes no more. */
function feed(session: Session, bytes: Uint8Array, pieceBytes = bytes.length): void {
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    let rest = bytes.subarray(start, start + pieceBytes);
    const link: Link = {
      readable: rest.length,
      read(into) {
        into.set(rest.subarray(0, into.length));
        rest = rest.subarray(into.length);
      },
      write() {},
    };
    while (session.step(link));
  }
}

const record = (type: number, content: readonly number[], length = content.length) =>
  Uint8Array.of(type, 3, 3, length >> 8, length & 0xff, ...content);
/** A server's hello that the flight takes. */
const hello = [2, 0, 0, 38, 3, 3, ...new Array<number>(32).fill(7), 0, 0xc0, 0x2b, 0];
const refusedAs = (reason: string) => ({ name: "TlsError", message: reason });

test("asks for small records, for no old session, and names the server", () => {
  open();
  assert.deepEqual(FakeSession.last.options, {
    protocolVersion: 0x303,
    cache: false,
    tls_max_fragment_length: 1024,
    serverName: "fleet.test",
  });
});

test("gives the session a record once it is whole, however it comes", () => {
  for (const pieceBytes of [1, 4, 5, 6, 100]) {
    const session = open();
    feed(session, record(22, hello), pieceBytes);
    assert.deepEqual(session.records, [record(22, hello)]);
  }
});

test("puts a message together that comes in several records", () => {
  const session = open();
  const parts = [hello.slice(0, 3), hello.slice(3, 20), hello.slice(20)];
  for (const part of parts) feed(session, record(22, part));
  assert.deepEqual(session.records, [record(22, hello)]);
});

test("takes nothing between the parts of a message", () => {
  const session = open();
  feed(session, record(22, hello.slice(0, 10)));
  assert.throws(() => feed(session, record(20, [1])), refusedAs("handshake-malformed"));
});

test("ends a message that never ends", () => {
  const session = open();
  const endless = [2, 0xff, 0xff, 0xff, ...new Array<number>(3000).fill(0)];
  assert.throws(() => {
    for (let records = 0; records < 10; records += 1) feed(session, record(22, endless));
  }, refusedAs("handshake-too-large"));
});

test("reads no record that is longer than one may be, whatever follows", () => {
  const session = open();
  const longest = 16_384 + 256;
  assert.throws(() => feed(session, record(22, [], longest + 1)), refusedAs("handshake-malformed"));
});

test("reads no record of the handshake that holds more than a message may have", () => {
  assert.throws(
    () => feed(open(), record(22, [], messageBytesMax + 1)),
    refusedAs("handshake-too-large"),
  );
  feed(open(), record(22, [], messageBytesMax)); // only the head of one that may be
});

test("reads no record of another protocol", () => {
  const text = new TextEncoder().encode("HTTP/1.1 400 Bad Request");
  assert.throws(() => feed(open(), text), refusedAs("handshake-malformed"));
});

test("gives the session no record that the flight refuses", () => {
  const session = open();
  assert.throws(() => feed(session, record(20, [1])), refusedAs("handshake-malformed"));
  assert.throws(() => feed(open(), record(21, [1, 0])), refusedAs("refused-by-server"));
  assert.deepEqual(session.records, []);
});

test("believes no session that calls itself established before the server's finish", () => {
  const session = open();
  session.isOver = true;
  assert.throws(() => feed(session, record(22, hello)), /established at the stage/);
  assert.equal(session.isEstablished, false);
});

test("ends with the session's own alert", () => {
  const session = open();
  session.alert = { level: 2, description: 70 };
  assert.throws(() => feed(session, record(22, hello)), refusedAs("refused-by-server"));
});

test("seeds the SDK's generator from the board before each step", () => {
  seeds.length = 0;
  feed(open(), record(22, hello), 20);
  assert.ok(seeds.length >= 3);
  assert.ok(seeds.every((seed) => seed.byteLength === 32));
});
