import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeSlip, SlipDecoder } from "../../../../hosts/esp32/wire/slip.ts";

function decoded(...pieces: readonly Uint8Array[]): Uint8Array[] {
  const frames: Uint8Array[] = [];
  const decoder = new SlipDecoder((frame) => frames.push(frame));
  for (const piece of pieces) decoder.take(piece);
  return frames;
}

test("writes the marks of RFC 1055", () => {
  const line = encodeSlip(Uint8Array.of(1, 0xc0, 0xdb, 2));
  assert.deepEqual([...line], [0xc0, 1, 0xdb, 0xdc, 0xdb, 0xdd, 2, 0xc0]);
});

test("reads back every byte, whatever the pieces", () => {
  const frame = Uint8Array.from({ length: 256 }, (_, byte) => byte);
  const line = encodeSlip(frame);
  assert.deepEqual(decoded(line), [frame]);
  assert.deepEqual(decoded(...[...line].map((byte) => Uint8Array.of(byte))), [frame]);
});

test("tells frames apart and passes over empty ones", () => {
  const one = encodeSlip(Uint8Array.of(1));
  const other = encodeSlip(Uint8Array.of(2));
  assert.deepEqual(decoded(one, Uint8Array.of(0xc0), other), [Uint8Array.of(1), Uint8Array.of(2)]);
});

test("keeps no more of a noisy line than a frame has", () => {
  const [frame] = decoded(new Uint8Array(100_000).fill(7), Uint8Array.of(0xc0));
  assert.equal(frame?.length, 2048);
});
