import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpRequest } from "../../../src/ports/http.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { type CheckResult, checkImage } from "../../../src/transfer/check-image.ts";
import { rangeOf, type Script, ScriptedHttp } from "../../support/scripted-http.ts";
import { smallImage, trustedSigner, unknownSigner } from "../../support/small-images.ts";

const image = await smallImage("1.1.0", 100_000);
const imageBytesMax = 200_000;

async function checked(
  bytes: Uint8Array,
  answer: (request: HttpRequest) => Script = (request) => rangeOf(bytes, request),
  fileBytes = bytes.length,
): Promise<{ result: CheckResult; http: ScriptedHttp }> {
  const http = new ScriptedHttp(answer);
  const result = await checkImage(http, {
    url: "http://server/file",
    fileBytes,
    headers: {},
    timeoutMs: 1000,
    trust: { keys: [trustedSigner.key], crypto: nobleCrypto, imageBytesMax },
  });
  return { result, http };
}

/** Of the refusal that was given, without the digest of what was read. */
function refusalOf(result: CheckResult): string | null {
  return result.ok || result.kind === "transfer" ? null : result.refusal;
}

test("judges an image by its first 32 bytes and by what follows the payload", async () => {
  const { result, http } = await checked(image.bytes);
  assert.ok(result.ok);
  assert.equal(result.info.version, "1.1.0");
  assert.equal(result.info.imageHash, image.imageHash);
  assert.equal(result.info.hardware, "esp32c3-a");
  assert.equal(result.info.securityCounter, 1);
  assert.deepEqual(
    http.requests.map(({ headers }) => headers["range"]),
    ["bytes=0-31", `bytes=100032-${image.bytes.length - 1}`],
  );
  assert.ok(http.deliveredBytes < 1024);
});

test("reads at most 8 KiB of what follows the payload", async () => {
  const padded = new Uint8Array(150_000).fill(0xff);
  padded.set(image.bytes);
  const { result, http } = await checked(padded);
  assert.equal(result.ok, true);
  assert.equal(http.deliveredBytes, 32 + 8192);
});

const changed = (index: number, value: number): Uint8Array =>
  image.bytes.map((byte, at) => (at === index ? value : byte));
const fromEnd = (bytes: number): number => image.bytes.length - bytes;

for (const [name, bytes, refusal] of [
  [
    "an image signed by another key",
    (await smallImage("1.1.0", 1000, { signer: unknownSigner })).bytes,
    "signature-untrusted",
  ],
  [
    "a signature with a flipped bit",
    changed(fromEnd(1), (image.bytes.at(-1) ?? 0) ^ 1),
    "signature-invalid",
  ],
  ["an image without the magic", changed(0, 0), "header-magic"],
  ["erased flash", new Uint8Array(5000).fill(0xff), "header-erased"],
  ["a file of 31 bytes", image.bytes.subarray(0, 31), "header-truncated"],
  ["a file that ends with its header", image.bytes.subarray(0, 32), "image-beyond-source"],
  ["a file that ends with its payload", image.bytes.subarray(0, 100_032), "image-beyond-source"],
  ["a file without its last byte", image.bytes.subarray(0, fromEnd(1)), "tlv-area-truncated"],
  ["a payload size beyond the file", changed(14, 0xff), "image-beyond-source"],
  ["a payload size of 4 GiB", changed(15, 0xff), "image-beyond-source"],
  ["an encrypted image", changed(16, 0x04), "encrypted"],
] as const)
  test(`refuses ${name}: ${refusal}`, async () => {
    assert.equal(refusalOf((await checked(bytes)).result), refusal);
  });

/** The n-th answer, from 0, has a flipped bit in its last byte where `spoils` says so. */
function spoiling(spoils: (answer: number) => boolean) {
  let answers = 0;
  return (request: HttpRequest): Script => {
    const script = rangeOf(image.bytes, request);
    const spoilt = spoils(answers);
    answers += 1;
    if (!spoilt || !("body" in script) || !(script.body instanceof Uint8Array)) return script;
    const body = script.body.slice();
    body[body.length - 1]! ^= answers;
    return { ...script, body };
  };
}

for (const [name, spoils] of [
  ["the header", (answer: number) => answer === 0],
  ["the signature", (answer: number) => answer === 1],
  ["three readings", (answer: number) => answer < 3],
] as const)
  test(`takes a good image although ${name} came spoilt`, async () => {
    assert.equal((await checked(image.bytes, spoiling(spoils))).result.ok, true);
  });

test("refuses an image once the same bytes came twice, and says by their digest which", async () => {
  const bad = changed(fromEnd(1), (image.bytes.at(-1) ?? 0) ^ 1);
  const [first, again] = [await checked(bad), await checked(bad)];
  assert.equal(refusalOf(first.result), "signature-invalid");
  assert.equal(first.http.requests.length, 4);
  assert.deepEqual(again.result, first.result);
  const other = await checked(changed(fromEnd(1), (image.bytes.at(-1) ?? 0) ^ 2));
  assert.equal(refusalOf(other.result), "signature-invalid");
  assert.notDeepEqual(other.result, first.result);
});

test("refuses nothing by bytes that are others each time, and gives up for now", async () => {
  const wild = await checked(
    image.bytes,
    spoiling((answer) => answer % 2 === 1),
  );
  const failure = "response-invalid";
  assert.deepEqual(wild.result, { ok: false, kind: "transfer", failure, retryAfterMs: null });
  assert.equal(wild.http.requests.length, 8);
});

test("refuses a file that the slot cannot hold before it asks for any of it", async () => {
  const { result, http } = await checked(image.bytes, () => ({ status: 500 }), imageBytesMax + 1);
  assert.equal(refusalOf(result), "image-too-large");
  assert.deepEqual(http.requests, []);
});

test("tells a failed transfer of either end from a refused image", async () => {
  const transfer = (failure: string, retryAfterMs: number | null = null) => ({
    ok: false,
    kind: "transfer",
    failure,
    retryAfterMs,
  });
  const atHead = await checked(image.bytes, () => ({ status: 404 }));
  assert.deepEqual(atHead.result, transfer("artifact-missing"));
  const atTail = await checked(image.bytes, (request) =>
    request.headers["range"]?.startsWith("bytes=0-")
      ? rangeOf(image.bytes, request)
      : { status: 503, headers: { "retry-after": "9" } },
  );
  assert.deepEqual(atTail.result, transfer("server-error", 9000));
  const short = image.bytes.subarray(1);
  const another = await checked(image.bytes, () => ({ status: 200, body: short }));
  assert.deepEqual(another.result, { ...transfer("response-invalid"), isUnproven: true });
});

test("reads both ends out of whole files, where a server knows no ranges", async () => {
  for (const headers of [{ "content-length": `${image.bytes.length}` }, {}]) {
    const script = { status: 200, headers, body: image.bytes };
    assert.equal((await checked(image.bytes, () => script)).result.ok, true);
  }
});

test("never throws on an image with any byte of its two ends changed", async () => {
  const tail = 100_032;
  const indexes = [
    ...Array.from({ length: 32 }, (_, index) => index),
    ...Array.from({ length: image.bytes.length - tail }, (_, index) => tail + index),
  ];
  for (const index of indexes)
    for (const value of [0x00, 0x7f, 0xff]) {
      const { result } = await checked(changed(index, value));
      if (result.ok || result.kind !== "image") continue;
      assert.notEqual(result.refusal, "");
    }
});
