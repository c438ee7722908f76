import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { messageBytesMax, ServerRecords } from "../../../src/tls/server-records.ts";
import { authority, certificate } from "../../support/tls.ts";

const clientRandom = new Uint8Array(32);
const number = (value: number, byteLength: number): number[] =>
  Array.from({ length: byteLength }, (_, index) => (value >> (8 * (byteLength - 1 - index))) & 255);
const message = (type: number, body: readonly number[]): number[] => [
  ...[type, ...number(body.length, 3), ...body],
];
const record = (content: readonly number[], type = 22): number[] => [
  ...[type, 3, 3, ...number(content.length, 2), ...content],
];

const hello = message(2, [3, 3, ...new Uint8Array(32), 0, 0xc0, 0x2b, 0]);
const own = certificate().certificate;
const list = [...number(own.length, 3), ...own];
const certificates = message(11, [...number(list.length, 3), ...list]);

function newRecords(): ServerRecords {
  return new ServerRecords({
    authorities: [authority.certificate],
    serverName: "fleet.test",
    unixMs: Date.now(),
    crypto: nobleCrypto,
  });
}

/** Gives the bytes in pieces; answers the records that came out, or why one was refused. */
function takeAll(bytes: readonly number[], pieceBytes: number): number[][] | string {
  const records = newRecords();
  const taken: number[][] = [];
  for (let start = 0; start < bytes.length; start += pieceBytes) {
    let at = start;
    const end = Math.min(start + pieceBytes, bytes.length);
    const from = {
      readable: end - start,
      read(into: Uint8Array): void {
        into.set(bytes.slice(at, at + into.length));
        at += into.length;
      },
    };
    for (;;) {
      const one = records.take(from, clientRandom);
      if (typeof one === "string") return one;
      if (one === null) break;
      taken.push([...one]);
    }
    assert.equal(from.readable, 0);
    assert.equal(at, end);
  }
  return taken;
}

/** The content cut into records of so many bytes. */
function cut(content: readonly number[], recordBytes: number): number[] {
  const records: number[] = [];
  for (let at = 0; at < content.length; at += recordBytes)
    records.push(...record(content.slice(at, at + recordBytes)));
  return records;
}

test("makes one record of messages, wherever records and pieces of the network end", () => {
  const content = [...hello, ...certificates];
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: content.length }),
      fc.integer({ min: 1, max: 2000 }),
      (recordBytes, pieceBytes) => {
        const taken = takeAll(cut(content, recordBytes), pieceBytes);
        assert.ok(typeof taken !== "string", String(taken));
        assert.deepEqual(
          taken.flatMap(([, , , , , ...body]) => body),
          content,
        );
        for (const one of taken)
          assert.deepEqual(one.slice(0, 5), record(one.slice(5)).slice(0, 5));
      },
    ),
  );
});

test("refuses a message that is longer than a device holds, before it came", () => {
  const announced = record([11, ...number(messageBytesMax, 3), ...new Uint8Array(100)]);
  assert.equal(takeAll([...record(hello), ...announced], 5000), "handshake-too-large");
  const whole = record([...hello, ...new Uint8Array(messageBytesMax)]);
  assert.equal(takeAll(whole.slice(0, 5), 5000), "handshake-too-large");
});

test("refuses another record between two parts of a message", () => {
  const begun = record(hello.slice(0, 20));
  assert.equal(takeAll([...begun, ...record([1], 20)], 5000), "handshake-malformed");
});

test("refuses what is no record, and one of no content", () => {
  assert.equal(takeAll([0x48, 0x54, 0x54, 0x50, 0x2f], 5), "handshake-malformed");
  assert.equal(takeAll(record([]), 5), "handshake-malformed");
});
