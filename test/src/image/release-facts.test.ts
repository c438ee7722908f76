import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { checkImageDemand } from "../../../src/image/envelope.ts";
import { readImageInfo } from "../../../src/image/info.ts";
import {
  decodeReleaseFacts,
  encodeReleaseFacts,
  releaseFactsBytesMax,
  type SignedReleaseFacts,
  unsignedReleaseFacts,
} from "../../../src/image/release-facts.ts";
import { bytesSource } from "../../../src/image/source.ts";
import { plainImage, type TlvValue, writeImage } from "../../../src/image/writer.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const version = (major: number, minor: number, revision: number, build = 0) => ({
  major,
  minor,
  revision,
  build,
});

const vectors: ReadonlyArray<readonly [string, Partial<SignedReleaseFacts>, string]> = [
  ["a breaking minor version", { breaking: true }, '{"breaking":true}'],
  ["an allowed downgrade", { downgradeAllowed: true }, '{"downgrade":true}'],
  [
    "a minimum bootloader",
    { bootloaderVersionMin: version(2, 3, 0, 1) },
    '{"bootloaderMin":"2.3.0+1"}',
  ],
  [
    "a range of schemas",
    { configurationSchemas: { min: 0, max: 65_535 } },
    '{"schemas":[0,65535]}',
  ],
  ["a stepping stone", { steppingStone: version(1, 4, 0) }, '{"steppingStone":"1.4.0"}'],
  ["an override of windows", { windowOverride: true }, '{"windowOverride":true}'],
  [
    "several hardwares",
    { hardware: ["esp32c3-a", "esp32c3-b"] },
    '{"hardware":["esp32c3-a","esp32c3-b"]}',
  ],
];

for (const [name, facts, text] of vectors)
  test(`writes and reads ${name}`, () => {
    const whole = { ...unsignedReleaseFacts, ...facts };
    assert.deepEqual(encodeReleaseFacts(whole), bytes(text));
    assert.deepEqual(decodeReleaseFacts(bytes(text)), { ok: true, facts: whole });
  });

test("facts that say nothing take no TLV, and an empty object says nothing", () => {
  assert.equal(encodeReleaseFacts(unsignedReleaseFacts), null);
  assert.deepEqual(decodeReleaseFacts(bytes("{}")), { ok: true, facts: unsignedReleaseFacts });
});

test("ignores members that it does not know, also nested ones and inherited names", () => {
  const text = '{"breaking":true,"later":{"a":[1]},"__proto__":{"downgrade":true},"toString":1}';
  const expected = { ...unsignedReleaseFacts, breaking: true };
  assert.deepEqual(decodeReleaseFacts(bytes(text)), { ok: true, facts: expected });
});

const refusals: ReadonlyArray<readonly [string, string]> = [
  ["", "release-facts-malformed"],
  ["{", "release-facts-malformed"],
  ["[]", "release-facts-malformed"],
  ["null", "release-facts-malformed"],
  ['{"breaking":true}x', "release-facts-malformed"],
  ['{"x":[[[[1]]]]}', "release-facts-malformed"],
  [`{"x":"${"y".repeat(releaseFactsBytesMax)}"}`, "release-facts-too-large"],
  ['{"breaking":1}', "release-facts-value"],
  ['{"breaking":null}', "release-facts-value"],
  ['{"downgrade":"true"}', "release-facts-value"],
  ['{"windowOverride":[]}', "release-facts-value"],
  ['{"hardware":[]}', "release-facts-value"],
  ['{"hardware":"esp32c3-b"}', "release-facts-value"],
  ['{"hardware":["esp32c3-b",7]}', "release-facts-value"],
  ['{"hardware":["esp32c3-b","ESP32"]}', "release-facts-value"],
  ['{"hardware":["esp32c3-b","esp32c3-b"]}', "release-facts-value"],
  ['{"bootloaderMin":"1.x"}', "release-facts-value"],
  ['{"steppingStone":"256.0.0"}', "release-facts-value"],
  ['{"steppingStone":14}', "release-facts-value"],
  ['{"schemas":[1]}', "release-facts-value"],
  ['{"schemas":[1,2,3]}', "release-facts-value"],
  ['{"schemas":[2,1]}', "release-facts-value"],
  ['{"schemas":[-1,1]}', "release-facts-value"],
  ['{"schemas":[0,65536]}', "release-facts-value"],
  ['{"schemas":[0.5,1]}', "release-facts-value"],
];

for (const [text, reason] of refusals)
  test(`refuses ${text.slice(0, 44) || "nothing at all"} as ${reason}`, () => {
    assert.deepEqual(decodeReleaseFacts(bytes(text)), { ok: false, reason });
  });

test("cutting the value anywhere never gives other facts than refused ones", () => {
  const whole = bytes(
    '{"hardware":["esp32c3-a","esp32c3-b"],"breaking":true,"schemas":[1,2],"steppingStone":"1.4.0"}',
  );
  for (let length = 0; length < whole.length; length += 1)
    assert.equal(decodeReleaseFacts(whole.subarray(0, length)).ok, false);
});

const anyVersion = fc.record(
  {
    major: fc.nat(255),
    minor: fc.nat(255),
    revision: fc.nat(65_535),
    build: fc.nat(0xffff_ffff),
  },
  { noNullPrototype: true },
);
const anyFacts: fc.Arbitrary<SignedReleaseFacts> = fc.record(
  {
    hardware: fc.option(
      fc.subarray(["esp32c3-a", "esp32c3-b", "esp32c6-a", "esp32s3-a.1"], { minLength: 1 }),
    ),
    breaking: fc.boolean(),
    downgradeAllowed: fc.boolean(),
    bootloaderVersionMin: fc.option(anyVersion),
    configurationSchemas: fc.option(
      fc
        .tuple(fc.nat(65_535), fc.nat(65_535))
        .map(([a, b]) => ({ min: Math.min(a, b), max: Math.max(a, b) })),
    ),
    steppingStone: fc.option(anyVersion),
    windowOverride: fc.boolean(),
  },
  { noNullPrototype: true },
);

test("any facts survive the way there and back", () => {
  fc.assert(
    fc.property(anyFacts, (facts) => {
      const value = encodeReleaseFacts(facts);
      const back = decodeReleaseFacts(value ?? bytes("{}"));
      assert.deepEqual(back, { ok: true, facts });
    }),
  );
});

test("random and mutated bytes are refused or read, and never throw", () => {
  const seedText = '{"hardware":["esp32c3-a"],"schemas":[1,2],"steppingStone":"1.4.0"}';
  const mutated = fc
    .tuple(fc.nat(seedText.length - 1), fc.integer({ min: 0, max: 255 }))
    .map(([at, byte]) => bytes(seedText).fill(byte, at, at + 1));
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 600 }), mutated), (value) => {
      const decoded = decodeReleaseFacts(value);
      if (decoded.ok) return;
      assert.match(decoded.reason, /^release-facts-(too-large|malformed|value)$/);
    }),
    { numRuns: 2000 },
  );
});

test("refuses to write what could not be read, by throwing", () => {
  const many = Array.from({ length: 20 }, (_, index) => `esp32c3-revision.of.the.board.${index}`);
  for (const facts of [
    { hardware: many },
    { hardware: [] },
    { configurationSchemas: { min: 2, max: 1 } },
    { steppingStone: version(256, 0, 0) },
  ])
    assert.throws(() => encodeReleaseFacts({ ...unsignedReleaseFacts, ...facts }), RangeError);
});

async function infoOf(release: SignedReleaseFacts, customTlvs: readonly TlvValue[] = []) {
  const options = { ...plainImage, version: version(1, 0, 0), hardware: "esp32c3-a" };
  const all = { ...options, release, customTlvs };
  const written = await writeImage(new Uint8Array(64), all, nobleCrypto, []);
  assert.ok(written.ok);
  const read = readImageInfo(bytesSource(written.image));
  assert.ok(read.ok);
  return read.info;
}

test("an image tells the facts that were written into it", async () => {
  const facts = { ...unsignedReleaseFacts, breaking: true, steppingStone: version(0, 9, 0) };
  const info = await infoOf(facts);
  assert.deepEqual([info.problem, info.release], [null, facts]);
  assert.equal(
    info.tlvs.some(({ type, isProtected }) => type === 0xa3 && isProtected),
    true,
  );
});

test("an image without the TLV says nothing, and one that cannot be read is a problem", async () => {
  assert.deepEqual((await infoOf(unsignedReleaseFacts)).release, unsignedReleaseFacts);
  for (const [value, problem] of [
    [bytes("{"), "release-facts-malformed"],
    [bytes('{"breaking":2}'), "release-facts-value"],
    [new Uint8Array(releaseFactsBytesMax + 1), "release-facts-too-large"],
  ] as const) {
    const info = await infoOf(unsignedReleaseFacts, [{ type: 0xa3, value }]);
    assert.deepEqual([info.problem, info.release], [problem, unsignedReleaseFacts]);
    assert.equal(info.hardware, "esp32c3-a", "the other TLVs stay readable");
  }
});

test("the hardware that is demanded may be any of those that the facts name beside the image's own", async () => {
  const demand = (hardware: string) => ({ hardware, securityCounterMin: null });
  const both = await infoOf({ ...unsignedReleaseFacts, hardware: ["esp32c3-a", "esp32c3-b"] });
  assert.equal(checkImageDemand(both, demand("esp32c3-a")), null);
  assert.equal(checkImageDemand(both, demand("esp32c3-b")), null);
  assert.equal(checkImageDemand(both, demand("esp32c6-a")), "hardware-other");
  const contradicting = await infoOf({ ...unsignedReleaseFacts, hardware: ["esp32c3-b"] });
  assert.equal(checkImageDemand(contradicting, demand("esp32c3-b")), "hardware-other");
});
