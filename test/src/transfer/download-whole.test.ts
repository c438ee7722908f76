import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type BlockHashes,
  decodeBlockHashes,
  encodeBlockHashes,
} from "../../../src/image/block-hashes.ts";
import type { HttpRequest } from "../../../src/ports/http.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { DownloadBench, fileOf } from "../../support/download-bench.ts";
import type { Script } from "../../support/scripted-http.ts";

// From servers that know no ranges: the answer is the whole file under 200.

const sector = 4096;
const file = fileOf(50 * sector + 321);
const bench = (): DownloadBench => new DownloadBench(file);

const failure = (reason: string, passing: boolean) => ({ ok: false, reason, passing });

const said = { "content-length": `${file.length}` };
const wholeFile: Script = { status: 200, headers: said, body: file };
const blocks = decodeBlockHashes(
  encodeBlockHashes(file, nobleCrypto, 65_536),
  file.length,
) as BlockHashes;
const landings = [
  ["judged at its end", null],
  ["judged block by block", blocks],
] as const;

for (const [how, known] of landings) {
  test(`takes a file ${how} in one answer from a server without ranges`, async () => {
    for (const headers of [said, {}]) {
      const slot = bench();
      const answer = (): Script => ({ ...wholeFile, headers });
      const { result, http, transferredBytes } = await slot.run({ answer, blocks: known });
      assert.deepEqual(result, { ok: true });
      assert.deepEqual(slot.held(), file);
      assert.deepEqual([http.requests.length, transferredBytes], [1, file.length]);
      assert.deepEqual([slot.chip.counts.erases, slot.chip.counts.writes], [0, 51]);
    }
  });

  test(`passes over what the slot holds of a file ${how}, and writes no sector twice`, async () => {
    const slot = bench();
    const answer = (_: HttpRequest, number: number): Script => ({
      ...wholeFile,
      ...(number < 6 && { brokenAfterBytes: 30_001 * (number + 1) }),
    });
    const { result, http } = await slot.run({ answer, blocks: known });
    assert.deepEqual(result, { ok: true });
    assert.deepEqual(slot.held(), file);
    assert.equal(http.requests.length, 7);
    assert.deepEqual([slot.chip.counts.erases, slot.chip.counts.writes], [0, 51]);
  });

  test(`goes on with a file ${how} after a reset`, async () => {
    const slot = bench();
    slot.chip.poke(slot.start, file.subarray(0, 20 * sector + 700));
    const { result } = await slot.run({ answer: () => wholeFile, blocks: known });
    assert.deepEqual(result, { ok: true });
    assert.deepEqual(slot.held(), file);
    assert.deepEqual([slot.chip.counts.erases, slot.chip.counts.writes], [1, 31]);
  });

  test(`ends for now when a file ${how} breaks at the same place each time`, async () => {
    const slot = bench();
    const answer = (): Script => ({ ...wholeFile, brokenAfterBytes: 100_000 });
    const { result, http } = await slot.run({ answer, blocks: known });
    assert.deepEqual(result, failure("network", true));
    assert.equal(http.requests.length, 8);
    assert.equal(slot.chip.counts.erases, 0);
  });

  test(`keeps nothing of a file ${how} that nobody vouches for`, async () => {
    const page = fileOf(90_000).map((byte) => byte ^ 0x55);
    const slot = bench();
    slot.chip.poke(slot.start, file.subarray(0, 18 * sector + 5));
    const answer = (): Script => ({ status: 200, body: page });
    const { result, http } = await slot.run({ answer, blocks: known });
    assert.deepEqual(result, failure("response-invalid", true));
    assert.equal(http.requests.length, 2);
    assert.deepEqual((await slot.run({ blocks: known })).result, { ok: true });
    assert.deepEqual(slot.held(), file);
  });
}

for (const [how, known] of landings)
  test(`takes a file ${how} after bytes of another that nobody vouched for`, async () => {
    const page = fileOf(90_000).map((byte) => byte ^ 0x55);
    const slot = bench();
    const answer = (_: HttpRequest, number: number): Script =>
      number === 0 ? { status: 200, body: page } : wholeFile;
    const { result, http } = await slot.run({ answer, blocks: known });
    assert.deepEqual(result, { ok: true });
    assert.deepEqual(slot.held(), file);
    assert.equal(http.requests.length, 2);
  });

test("keeps blocks that have their hash of an answer without a length that broke", async () => {
  const slot = bench();
  const answer = (_: HttpRequest, number: number): Script | null =>
    number === 0
      ? {
          status: 200,
          headers: { "transfer-encoding": "chunked" },
          body: file,
          brokenAfterBytes: 70_000,
        }
      : null;
  const { result, http } = await slot.run({ answer, blocks });
  assert.deepEqual(result, { ok: true });
  assert.equal(http.requests[1]?.headers["range"], "bytes=65536-131071");
  assert.deepEqual(slot.held(), file);
});

test("fetches a spoilt block again, and gives up after three", async () => {
  const spoiltFile = file.map((byte, index) => (index === 70_000 ? byte ^ 1 : byte));
  const spoiltOnce = await bench().run({
    answer: (_, number) => (number === 0 ? { ...wholeFile, body: spoiltFile } : wholeFile),
    blocks,
  });
  assert.deepEqual(spoiltOnce.result, { ok: true });
  assert.equal(spoiltOnce.http.requests.length, 2);
  const always = await bench().run({ answer: () => ({ ...wholeFile, body: spoiltFile }), blocks });
  assert.deepEqual(always.result, failure("hash-mismatch", false));
  assert.equal(always.http.requests.length, 3);
  // Without a length that was said it may be no file at all: no verdict.
  const unsaid = await bench().run({ answer: () => ({ status: 200, body: spoiltFile }), blocks });
  assert.deepEqual(unsaid.result, failure("response-invalid", true));
});
