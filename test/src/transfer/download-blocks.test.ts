import assert from "node:assert/strict";
import { test } from "node:test";
import { cutAt, cutKinds, PowerCut } from "../../../hosts/flash/operation.ts";
import {
  type BlockHashes,
  decodeBlockHashes,
  encodeBlockHashes,
} from "../../../src/image/block-hashes.ts";
import type { HttpRequest } from "../../../src/ports/http.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { DownloadBench, fileOf } from "../../support/download-bench.ts";
import { rangeOf, type Script } from "../../support/scripted-http.ts";

const sector = 4096;
const blockBytes = 4 * sector;
const coveredBytes = 11 * sector + 1000; // the last of 3 blocks is short, and the TLVs follow in it
const file = fileOf(coveredBytes + 700);
const blocks = decodeBlockHashes(
  encodeBlockHashes(file.subarray(0, coveredBytes), nobleCrypto, blockBytes),
  coveredBytes,
) as BlockHashes;
const bench = (): DownloadBench => new DownloadBench(file);

/** A request that begins within these bytes is answered with one of them changed. */
function spoiltAt(offset: number, request: HttpRequest): Script | null {
  const script = rangeOf(file, request);
  const from = Number(/bytes=(\d+)-/.exec(request.headers["range"] ?? "")?.[1]);
  if (!("status" in script) || !(script.body instanceof Uint8Array)) return null;
  if (offset < from || offset >= from + script.body.length) return null;
  return {
    ...script,
    body: script.body.map((byte, at) => (from + at === offset ? byte ^ 1 : byte)),
  };
}

const ranges = (requests: readonly HttpRequest[]): (string | undefined)[] =>
  requests.map(({ headers }) => headers["range"]);
const [first, second, third] = ["bytes=0-16383", "bytes=16384-32767", "bytes=32768-46755"];

test("asks for a file block by block, and finds every block good", async () => {
  const slot = bench();
  const { result, http } = await slot.run({ blocks });
  assert.deepEqual(result, { ok: true });
  assert.deepEqual(slot.held(), file);
  assert.deepEqual(ranges(http.requests), [first, second, third]);
  assert.equal(slot.chip.counts.erases, 0);
});

for (const [name, offset, expected] of [
  ["first", 5, [first, first, second, third]],
  ["second", blockBytes + 9000, [first, second, second, third]],
  ["last", coveredBytes - 1, [first, second, third, third]],
] as const)
  test(`fetches a spoilt ${name} block again, and that one alone`, async () => {
    const slot = bench();
    let spoilt = 0;
    const { result, http } = await slot.run({
      blocks,
      answer(request) {
        const script = spoilt === 0 ? spoiltAt(offset, request) : null;
        if (script !== null) spoilt += 1;
        return script;
      },
    });
    assert.deepEqual(result, { ok: true });
    assert.deepEqual(slot.held(), file);
    assert.deepEqual(ranges(http.requests), expected);
  });

test("gives up on a block that comes spoilt three times in a row", async () => {
  const { result, http } = await bench().run({
    blocks,
    answer: (request) => spoiltAt(blockBytes + 1, request),
  });
  assert.deepEqual(result, { ok: false, reason: "hash-mismatch", passing: false });
  assert.deepEqual(ranges(http.requests), [first, second, second, second]);
});

test("leaves what follows the covered bytes to the signature", async () => {
  const slot = bench();
  const { result } = await slot.run({
    blocks,
    answer: (request) => spoiltAt(coveredBytes, request),
  });
  assert.deepEqual(result, { ok: true });
  assert.notDeepEqual(slot.held(), file);
});

test("judges a block by itself although the connection broke with its last byte", async () => {
  const slot = bench();
  const { result, transferredBytes, http, clock } = await slot.run({
    blocks,
    answer(request) {
      const script = rangeOf(file, request);
      const body = "status" in script && script.body instanceof Uint8Array ? script.body : file;
      return { ...script, brokenAfterBytes: body.length };
    },
  });
  assert.deepEqual(result, { ok: true });
  assert.equal(transferredBytes, file.length);
  assert.deepEqual(ranges(http.requests), [first, second, third]);
  assert.equal(clock.nowMs, 0, "nothing failed, so nothing waits");
});

test("finds a spoilt block whose connection broke with its last byte", async () => {
  for (const offset of [3, blockBytes + 3, 2 * blockBytes + 3]) {
    const slot = bench();
    let spoilt = 0;
    const { result, http } = await slot.run({
      blocks,
      answer(request) {
        const script = spoilt === 0 ? spoiltAt(offset, request) : null;
        if (script === null || !("status" in script)) return null;
        spoilt += 1;
        return { ...script, brokenAfterBytes: (script.body ?? "").length };
      },
    });
    assert.deepEqual(result, { ok: true });
    assert.deepEqual(slot.held(), file);
    assert.equal(http.requests.length, 4);
  }
});

test("finds a block spoilt that is partly from before a reset", async () => {
  const slot = bench();
  const before = file.slice(0, 7 * sector);
  before[5 * sector] = (before[5 * sector] ?? 0) ^ 1;
  slot.chip.poke(slot.start, before);
  const { result, http } = await slot.run({ blocks });
  assert.deepEqual(result, { ok: true });
  assert.deepEqual(slot.held(), file);
  assert.deepEqual(ranges(http.requests), ["bytes=24576-32767", second, third]);
});

test("asks for nothing twice after a reset between two blocks", async () => {
  const slot = bench();
  slot.chip.poke(slot.start, file.subarray(0, 2 * blockBytes));
  const { result, http } = await slot.run({ blocks });
  assert.deepEqual(result, { ok: true });
  assert.deepEqual(slot.held(), file);
  assert.deepEqual(ranges(http.requests), [third]);
  assert.equal(slot.chip.counts.erases, 0);
});

test("fetches the last sector again after a reset when its block has another hash", async () => {
  const slot = bench();
  const torn = file.slice(0, 2 * blockBytes);
  torn.fill(0xff, torn.length - 100);
  slot.chip.poke(slot.start, torn);
  const { result, http } = await slot.run({ blocks });
  assert.deepEqual(result, { ok: true });
  assert.deepEqual(slot.held(), file);
  assert.deepEqual(ranges(http.requests), ["bytes=28672-32767", third]);
});

test("asks for at most one block again after a power cut at any operation", async () => {
  const clean = bench();
  await clean.run({ blocks });
  const asked = async (slot: DownloadBench): Promise<number[]> => {
    const starts: number[] = [];
    const answer = (request: HttpRequest): null => {
      starts.push(Number(/bytes=(\d+)-/.exec(request.headers["range"] ?? "")?.[1]));
      return null;
    };
    await slot.run({ blocks, answer }).catch((error) => assert.ok(error instanceof PowerCut));
    return starts;
  };
  for (let operation = 0; operation < clean.chip.counts.writes; operation += 1)
    for (const kind of cutKinds) {
      const slot = bench();
      slot.chip.faultHook = cutAt(operation, kind);
      const before = (await asked(slot)).at(-1) ?? 0;
      slot.restorePower();
      const [after = file.length] = await asked(slot);
      const end = Math.min(before + blockBytes, file.length);
      assert.ok(end - after <= blockBytes, `${kind} at ${operation}: from ${after} of ${end}`);
    }
});

test("goes on from any sector after a reset", async () => {
  for (let sectors = 0; sectors <= 12; sectors += 1) {
    const slot = bench();
    slot.chip.poke(slot.start, file.subarray(0, sectors * sector));
    const { result, transferredBytes } = await slot.run({ blocks });
    assert.deepEqual(result, { ok: true }, `${sectors} sectors`);
    assert.deepEqual(slot.held(), file);
    assert.ok(transferredBytes <= file.length - (sectors - 1) * sector);
  }
});

test("ends with the same file after a power cut at any operation, spoilt blocks included", async () => {
  const answer = (): ((request: HttpRequest) => Script | null) => {
    let spoilt = 0;
    return (request) => {
      const script = spoilt === 0 ? spoiltAt(blockBytes + 9000, request) : null;
      if (script !== null) spoilt += 1;
      return script;
    };
  };
  const clean = bench();
  await clean.run({ blocks, answer: answer() });
  const { erases, writes } = clean.chip.counts;
  assert.deepEqual({ erases, writes }, { erases: 4, writes: 12 + 4 });
  for (let operation = 0; operation < erases + writes; operation += 1)
    for (const kind of cutKinds) {
      const slot = bench();
      slot.chip.faultHook = cutAt(operation, kind);
      await assert.rejects(slot.run({ blocks, answer: answer() }), PowerCut);
      slot.restorePower();
      const { result } = await slot.run({ blocks });
      assert.deepEqual(result, { ok: true });
      assert.deepEqual(slot.held(), file, `${kind} at ${operation}`);
    }
});
