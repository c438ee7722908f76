import assert from "node:assert/strict";
import { createSign, type KeyObject, randomBytes } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import type { Identity } from "../../../hosts/release/certificates.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { chainCertificatesMax } from "../../../src/tls/server-certificate.ts";
import { contentType, ServerFlight } from "../../../src/tls/server-flight.ts";
import { authority, certificate, otherAuthority } from "../../support/tls.ts";

const own = certificate();
const clientRandom = new Uint8Array(randomBytes(32));
const serverRandom = new Uint8Array(randomBytes(32));
const point = Uint8Array.of(4, ...randomBytes(64));

const number = (value: number, byteLength: number): number[] =>
  Array.from({ length: byteLength }, (_, index) => (value >> (8 * (byteLength - 1 - index))) & 255);

function message(type: number, ...body: readonly (number | Uint8Array)[]): Uint8Array {
  const bytes = body.flatMap((part) => (typeof part === "number" ? [part] : [...part]));
  return Uint8Array.of(type, ...number(bytes.length, 3), ...bytes);
}

interface Hello {
  readonly version?: number;
  readonly suite?: number;
  readonly compression?: number;
  readonly extensions?: readonly number[];
}

function hello({
  version = 0x0303,
  suite = 0xc02b,
  compression = 0,
  extensions = [0, 5, 0, 1, 0, 1, 4],
}: Hello = {}): Uint8Array {
  const head = [...number(version, 2), ...serverRandom, 2, 7, 7, ...number(suite, 2), compression];
  return message(2, Uint8Array.from([...head, ...extensions]));
}

function certificates(...chain: readonly Identity[]): Uint8Array {
  const items = chain.flatMap(({ certificate: der }) => [...number(der.length, 3), ...der]);
  return message(11, Uint8Array.from([...number(items.length, 3), ...items]));
}

interface KeyExchange {
  readonly curve?: readonly number[];
  readonly point?: Uint8Array;
  readonly algorithms?: number;
  readonly signer?: KeyObject;
  readonly signature?: Uint8Array;
  readonly over?: Uint8Array;
}

function keyExchange(changes: KeyExchange = {}): Uint8Array {
  const { curve = [3, 0, 23], algorithms = 0x0403, signer = own.privateKey } = changes;
  const { length } = changes.point ?? point;
  const parameters = Uint8Array.of(...curve, length, ...(changes.point ?? point));
  const over = changes.over ?? Uint8Array.of(...clientRandom, ...serverRandom, ...parameters);
  const signature = changes.signature ?? createSign("sha256").update(over).sign(signer);
  return message(
    12,
    parameters,
    ...number(algorithms, 2),
    ...number(signature.length, 2),
    signature,
  );
}

const certificateRequest = message(13, 1, 64, 0, 2, 4, 3, 0, 0);
const done = message(14);
const cipherChange = [contentType.changeCipherSpec, Uint8Array.of(1)] as const;
const finished = [contentType.handshake, new Uint8Array(40)] as const;

type Wire = readonly [number, Uint8Array];
const plain = (...messages: readonly Uint8Array[]): Wire => [
  contentType.handshake,
  Uint8Array.from(messages.flatMap((bytes) => [...bytes])),
];
const good: readonly Uint8Array[] = [hello(), certificates(own, authority), keyExchange(), done];

function newFlight(): ServerFlight {
  return new ServerFlight({
    authorities: [authority.certificate],
    serverName: "fleet.test",
    unixMs: Date.now(),
    crypto: nobleCrypto,
  });
}

/** Gives the records to a flight; answers the first refusal, or null. */
function judge(records: readonly Wire[], flight = newFlight()) {
  for (const [type, fragment] of records) {
    const refusal = flight.take(type, fragment, clientRandom);
    if (refusal !== null) return refusal;
  }
  return null;
}

test("lets a handshake through, a message to a record or all in one", () => {
  const apart = [...good.map((one) => plain(one)), cipherChange, finished];
  const together: Wire[] = [plain(...good), cipherChange, finished];
  for (const records of [apart, together]) {
    const flight = newFlight();
    assert.equal(judge(records, flight), null);
    flight.established();
    assert.equal(flight.take(contentType.applicationData, finished[1], clientRandom), null);
    assert.equal(
      flight.take(contentType.handshake, finished[1], clientRandom),
      "handshake-malformed",
    );
  }
});

test("lets a server ask for a certificate", () => {
  const [first, second, third] = good as [Uint8Array, Uint8Array, Uint8Array];
  assert.equal(judge([plain(first, second, third, certificateRequest, done), cipherChange]), null);
});

test("knows the key of the server only from a certificate that is good", () => {
  const flight = newFlight();
  judge([plain(hello(), certificates(own))], flight);
  assert.equal(flight.publicKey?.length, 65);
  const strange = newFlight();
  judge([plain(hello(), certificates(certificate({ issuer: otherAuthority })))], strange);
  assert.equal(strange.publicKey, null);
});

test("takes the messages in one order only", () => {
  const all = [...good, certificateRequest];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...all), { maxLength: 6 }), (messages) => {
      const flight = newFlight();
      const refusal = judge([...messages.map((one) => plain(one)), cipherChange, finished], flight);
      const withoutRequest = messages.filter((one) => one !== certificateRequest);
      const requests = messages.length - withoutRequest.length;
      const isRight =
        withoutRequest.length === good.length &&
        withoutRequest.every((one, index) => one === good[index]) &&
        (requests === 0 || (requests === 1 && messages[3] === certificateRequest));
      assert.equal(refusal === null, isRight);
    }),
  );
});

const outOfOrder: readonly (readonly [string, readonly Wire[]])[] = [
  ["an encrypted finish in place of everything", [finished]],
  ["a change to encryption in place of everything", [cipherChange]],
  ["a change to encryption before the key exchange", [plain(...good.slice(0, 2)), cipherChange]],
  ["a change to encryption before done", [plain(...good.slice(0, 3)), cipherChange]],
  ["content in plain text", [plain(...good), [contentType.applicationData, new Uint8Array(9)]]],
  ["content in place of the finish", [plain(...good), cipherChange, [23, new Uint8Array(9)]]],
  ["a request for a new handshake", [plain(message(0))]],
  ["a hello of a client", [plain(message(1, new Uint8Array(40)))]],
  ["a record without a message", [[contentType.handshake, new Uint8Array(0)]]],
  ["a message that goes on in the next record", [[contentType.handshake, hello().slice(0, 20)]]],
  ["a change to encryption of two bytes", [plain(...good), [20, Uint8Array.of(1, 1)]]],
];
for (const [name, records] of outOfOrder)
  test(`refuses ${name}`, () => {
    assert.equal(judge(records), "handshake-malformed");
  });

test("takes a goodbye before the end for a refusal, in plain text or not", () => {
  const goodbye: Wire = [contentType.alert, Uint8Array.of(1, 0)];
  assert.equal(judge([goodbye]), "refused-by-server");
  assert.equal(judge([plain(...good), goodbye]), "refused-by-server");
  assert.equal(judge([plain(...good), cipherChange, goodbye]), "refused-by-server");
});

const hellos: readonly (readonly [string, Hello])[] = [
  ["TLS 1.1", { version: 0x0302 }],
  ["RSA key exchange with CBC", { suite: 0x002f }],
  ["another cipher suite", { suite: 0xc02f }],
  ["compression", { compression: 1 }],
  ["extensions that are cut", { extensions: [0, 9, 0] }],
  ["bytes behind the extensions", { extensions: [0, 0, 0] }],
];
for (const [name, changes] of hellos)
  test(`refuses a hello with ${name}`, () => {
    assert.equal(judge([plain(hello(changes))]), "handshake-malformed");
  });

const stranger = certificate({ issuer: otherAuthority });
const unproven: readonly (readonly [string, KeyExchange])[] = [
  ["without a signature algorithm", { algorithms: 0 }],
  ["with an anonymous one", { algorithms: 0x0400 }],
  ["with no hash", { algorithms: 0x0003 }],
  ["with SHA-1", { algorithms: 0x0203 }],
  ["with RSA", { algorithms: 0x0401 }],
  ["signed by another key", { signer: stranger.privateKey }],
  ["without a signature", { signature: new Uint8Array(0) }],
  ["with r = s = 0", { signature: Uint8Array.of(0x30, 6, 2, 1, 0, 2, 1, 0) }],
  ["signed for another handshake", { over: new Uint8Array(133) }],
];
for (const [name, changes] of unproven)
  test(`refuses a key exchange ${name}`, () => {
    const records = [plain(hello(), certificates(own), keyExchange(changes))];
    assert.equal(judge(records), "key-exchange-unproven");
  });

const malformed: readonly (readonly [string, KeyExchange])[] = [
  ["on a curve of its own", { curve: [1, 0, 23] }],
  ["on another curve", { curve: [3, 0, 24] }],
  ["with a compressed point", { point: Uint8Array.of(2, ...randomBytes(32)) }],
  ["with a point of another form", { point: Uint8Array.of(6, ...randomBytes(64)) }],
];
for (const [name, changes] of malformed)
  test(`refuses a key exchange ${name}`, () => {
    const records = [plain(hello(), certificates(own), keyExchange(changes))];
    assert.equal(judge(records), "handshake-malformed");
  });

test("says why a certificate was refused", () => {
  assert.equal(judge([plain(hello(), certificates(stranger))]), "certificate-untrusted");
  assert.equal(
    judge([plain(hello(), certificates(certificate({ hosts: ["other.test"] })))]),
    "certificate-name",
  );
});

test("refuses more certificates than it looks at, and a list that is longer than its message", () => {
  const some = (count: number) => certificates(own, ...Array(count - 1).fill(authority));
  assert.equal(judge([plain(hello(), some(chainCertificatesMax))]), null);
  assert.equal(judge([plain(hello(), some(chainCertificatesMax + 1))]), "handshake-too-large");
  const cut = message(11, Uint8Array.from(number(5000, 3)));
  assert.equal(judge([plain(hello(), cut)]), "handshake-malformed");
});

test("never throws on records with changed bytes, and takes no changed key exchange", () => {
  const [type, bytes] = plain(...good);
  const [first, second, third] = good.map((one) => one.length);
  const start = first! + second!;
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: bytes.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      (at, change) => {
        const changed = bytes.map((byte, index) => (index === at ? byte ^ change : byte));
        const refusal = judge([[type, changed]]);
        if (at >= start && at < start + third!) assert.notEqual(refusal, null);
      },
    ),
  );
});
