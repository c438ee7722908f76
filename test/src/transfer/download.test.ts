import assert from "node:assert/strict";
import { test } from "node:test";
import { cutAt, cutKinds, PowerCut } from "../../../hosts/flash/operation.ts";
import { nobleCrypto } from "../../../src/ports/noble-crypto.ts";
import { StagingSlot } from "../../../src/slots/staging.ts";
import { defaultDownloadSettings, download } from "../../../src/transfer/download.ts";
import { LongWork } from "../../../src/transfer/long-work.ts";
import { acceptedOfferOf, DownloadBench, fileOf } from "../../support/download-bench.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { OpenHashers } from "../../support/open-hashers.ts";
import { fixedRandom } from "../../support/plain-ports.ts";
import { rangeOf, ScriptedHttp } from "../../support/scripted-http.ts";
import { failingArea } from "../../support/secondary-slot.ts";

const sector = 4096;
const file = fileOf(50 * sector + 321);
const bench = (): DownloadBench => new DownloadBench(file);

const failure = (reason: string, passing: boolean) => ({ ok: false, reason, passing });

test("fetches a file block by block and ends with its hash", async () => {
  const slot = bench();
  const { result, http, transferredBytes } = await slot.run();
  assert.deepEqual(result, { ok: true });
  assert.deepEqual(slot.held(), file);
  assert.deepEqual(
    http.requests.map(({ headers }) => headers["range"]),
    ["bytes=0-65535", "bytes=65536-131071", "bytes=131072-196607", "bytes=196608-205120"],
  );
  assert.equal(transferredBytes, file.length);
  assert.equal(http.requests[0]?.headers["x-for"], "http://server/file");
});

test("programs hardly more bytes than the image has, and erases nothing of a blank slot", async () => {
  const slot = bench();
  await slot.run();
  const { bytesProgrammed, erases } = slot.chip.counts;
  assert.ok(bytesProgrammed / file.length <= 1.01);
  assert.equal(erases, 0);
});

test("ends with hash-mismatch when the file is another", async () => {
  const other = file.map((byte, index) => (index === 100_000 ? byte ^ 1 : byte));
  const { result } = await bench().run({ bytes: other, offer: acceptedOfferOf(file) });
  assert.deepEqual(result, failure("hash-mismatch", false));
});

// ---- broken links

test("goes on in the middle of a block after the link broke, without a byte twice", async () => {
  const slot = bench();
  const { result, transferredBytes, http } = await slot.run({
    answer: (request, number) =>
      number % 2 === 0 ? { ...rangeOf(file, request), brokenAfterBytes: 10_001 } : null,
  });
  assert.deepEqual(result, { ok: true });
  assert.deepEqual(slot.held(), file);
  assert.equal(transferredBytes, file.length);
  assert.equal(http.requests[1]?.headers["range"], "bytes=10001-65535");
});

test("takes a link that breaks at every byte it carries for progress, not for failure", async () => {
  const small = file.subarray(0, 40);
  const slot = new DownloadBench(small);
  const { result } = await slot.run({
    answer: (request) => ({ ...rangeOf(small, request), brokenAfterBytes: 1 }),
  });
  assert.deepEqual(result, { ok: true });
  assert.deepEqual(slot.held(), small);
});

for (const [name, script, reason] of [
  ["no connection", { failure: "connection" }, "network"],
  ["timeouts", { failure: "timeout" }, "network"],
  ["500", { status: 500 }, "server-error"],
  [
    "another file for a range",
    { status: 200, headers: { "content-length": "9" }, body: file.subarray(0, 9) },
    "response-invalid",
  ],
  [
    "a body that ends early",
    { status: 206, headers: { "content-range": "bytes 0-65535/205121" } },
    "network",
  ],
] as const)
  test(`gives up for now after eight times ${name}, and keeps what it has`, async () => {
    const slot = bench();
    const { result, http, clock } = await slot.run({ answer: () => script });
    assert.deepEqual(result, failure(reason, true));
    assert.equal(http.requests.length, 8);
    // 1, 2, 4, ... 64 s, each a little less by the draw
    assert.ok(clock.nowMs > 120_000 && clock.nowMs <= 123_000 + 64_000);
    assert.deepEqual(slot.chip.counts, { erases: 0, writes: 0, bytesProgrammed: 0 });
  });

for (const [name, script, expected] of [
  ["404", { status: 404 }, failure("artifact-missing", true)],
  ["410", { status: 410 }, failure("artifact-missing", true)],
  ["an address that it cannot fetch", { failure: "bad-url" }, failure("unsupported-url", false)],
] as const)
  test(`does not ask again after ${name}`, async () => {
    const { result, http } = await bench().run({ answer: () => script });
    assert.deepEqual(result, expected);
    assert.equal(http.requests.length, 1);
  });

test("waits as long as the server asks, and then its own time too", async () => {
  const { result, clock } = await bench().run({
    answer: (_request, number) =>
      number === 0 ? { status: 503, headers: { "retry-after": "120" } } : null,
  });
  assert.deepEqual(result, { ok: true });
  assert.ok(clock.nowMs > 120_000 && clock.nowMs <= 121_000);
});

test("counts only failures in a row", async () => {
  const { result, http } = await bench().run({
    answer: (_request, number) => (number % 8 === 7 ? null : { failure: "timeout" }),
  });
  assert.deepEqual(result, { ok: true });
  assert.equal(http.requests.length, 4 * 8);
});

test("pauses between blocks when the settings say so", async () => {
  const { clock } = await bench().run({ settings: { pauseMs: 250 } });
  assert.equal(clock.nowMs, 4 * 250);
});

// ---- resuming

test("goes on after a reset from where the slot ends, and hashes what is there already", async () => {
  const slot = bench();
  slot.chip.poke(slot.start, file.subarray(0, 20 * sector + 700));
  const { result, http, transferredBytes } = await slot.run();
  assert.deepEqual(result, { ok: true });
  assert.equal(http.requests[0]?.headers["range"], "bytes=81920-131071");
  assert.equal(transferredBytes, file.length - 20 * sector);
  assert.equal(slot.chip.counts.erases, 1);
});

test("ends with hash-mismatch when the slot held something else", async () => {
  const slot = bench();
  slot.chip.poke(slot.start, new Uint8Array(20 * sector).fill(0x33));
  const { result } = await slot.run();
  assert.deepEqual(result, failure("hash-mismatch", false));
});

test("after a power cut at any operation at most one block is downloaded again", async () => {
  const clean = bench();
  await clean.run();
  const operations = clean.chip.counts.writes;
  assert.equal(operations, 51);
  for (let operation = 0; operation < operations; operation += 1)
    for (const kind of cutKinds) {
      const slot = bench();
      slot.chip.faultHook = cutAt(operation, kind);
      const sum = { transferredBytes: 0 };
      await assert.rejects(slot.run({ sum }), PowerCut);
      slot.restorePower();
      assert.deepEqual((await slot.run({ sum })).result, { ok: true });
      assert.deepEqual(slot.held(), file);
      const again = sum.transferredBytes - file.length;
      assert.ok(again <= 65_536, `${kind} at ${operation}: ${again} bytes again`);
    }
});

test("a download that fails for now loses nothing when it is taken up again and again", async () => {
  const slot = bench();
  await slot.run({ answer: (_request, number) => (number === 2 ? { status: 404 } : null) });
  const { erases, writes } = slot.chip.counts;
  for (let poll = 0; poll < 5; poll += 1) await slot.run({ answer: () => ({ status: 404 }) });
  assert.deepEqual(slot.chip.counts, { erases, writes, bytesProgrammed: writes * sector });
  const { result, transferredBytes } = await slot.run();
  assert.deepEqual(result, { ok: true });
  assert.equal(transferredBytes, file.length - 131_072 + sector);
});

// ---- flash and abandonment

for (const operation of ["read", "write"] as const)
  test(`ends for good with flash-error when a ${operation} fails`, async () => {
    const slot = bench();
    const area = failingArea(slot.area, (kind, offset) => kind === operation && offset >= 65_536);
    assert.deepEqual((await slot.run({ area })).result, failure("flash-error", false));
  });

test("lets an exception that is no FlashError out, for its caller to report", async () => {
  const slot = bench();
  const area = { ...failingArea(slot.area, () => false), write: () => assert.fail("a defect") };
  await assert.rejects(slot.run({ area }), /a defect/);
});

test("ends at the next bytes once it is abandoned, and writes nothing more", async () => {
  const slot = bench();
  let work: LongWork | null = null;
  const { result, http } = await slot.run({
    work: (clock) => {
      work = new LongWork(clock);
      return work;
    },
    answer: (_request, number) => {
      if (number === 1) work?.abandon();
      return null;
    },
  });
  assert.equal(result.ok, false);
  assert.equal(http.requests.length, 2);
  assert.equal(slot.chip.counts.writes, 16);
});

test("ends at once in a long wait once it is abandoned", async () => {
  const slot = bench();
  let work: LongWork | null = null;
  const { result, clock } = await slot.run({
    work: (clock) => {
      work = new LongWork(clock);
      clock.after(5000, () => work?.abandon());
      return work;
    },
    answer: () => ({ status: 503, headers: { "retry-after": "3600" } }),
  });
  assert.equal(result.ok, false);
  assert.equal(clock.nowMs, 5000);
  assert.equal(clock.pending, 0);
});

test("frees its hasher however it ends", async () => {
  const hashers = new OpenHashers();
  const crypto = hashers.of(nobleCrypto);
  for (const script of [null, { status: 404 }, { failure: "bad-url" }] as const) {
    const clock = new ManualClock();
    const http = new ScriptedHttp((request) => script ?? rangeOf(file, request));
    const tools = {
      http,
      random: fixedRandom(0),
      crypto,
      work: new LongWork(clock),
      headers: () => ({}),
    };
    const slot = new StagingSlot(bench().area, file.length, 500);
    await download(acceptedOfferOf(file), null, slot, defaultDownloadSettings, tools);
    assert.equal(hashers.open, 0);
  }
});
