import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceLayout } from "../../../hosts/flash/board-layout.ts";
import { type DeviceLayout, slotExtent } from "../../../hosts/flash/layout.ts";
import { bootloaderProgram, recordOf } from "../../../hosts/mcuboot-model/bootloader-program.ts";
import { sluiceConfig } from "../../../hosts/mcuboot-model/sluice-config.ts";
import { type SeenRequest, text } from "../../../hosts/simulator/ddi-server.ts";
import type { NetworkAnswer } from "../../../hosts/simulator/network.ts";
import {
  type BootloaderRecord,
  bootloaderRecordBytes,
} from "../../../src/image/bootloader-record.ts";
import { benchSigner, DeviceBench, image, strangeSigner } from "../../support/device-bench.ts";

/** Offers one file as version 1.1.0 to a device on 1.0.0 and lets half an hour pass. */
async function offered(
  file: Uint8Array,
  options: Parameters<typeof DeviceBench.start>[0] = {},
): Promise<DeviceBench> {
  const bench = await DeviceBench.start(options);
  bench.offer("1", "1.1.0", file);
  await bench.powerOn();
  await bench.pass(30);
  bench.world.close();
  return bench;
}

async function refusedFor(file: Uint8Array, reason: string): Promise<DeviceBench> {
  const bench = await offered(file);
  assert.equal(bench.running, "1.0.0");
  assert.deepEqual(bench.boots, ["booted 1.0.0 power-on"]);
  assert.equal(bench.verdict, `closed failure state=failed version=1.1.0 reason=${reason}`);
  return bench;
}

/** A refusal by the two ends of the image: nothing of the payload was fetched, no sector erased. */
async function refusedByEnds(file: Uint8Array, reason: string): Promise<void> {
  const bench = await refusedFor(file, reason);
  // Both ends, twice at each of two polls.
  assert.ok(bench.server.artifactRanges.length <= 8, bench.server.artifactRanges.join(" "));
  const { secondary } = bench.world.layout;
  assert.equal(bench.device.device.flash.sectorErases(secondary.offsetBytes), 0);
}

test("refuses an unsigned image before the download", async () => {
  await refusedByEnds(await image("1.1.0", { signers: [] }), "key-unknown");
});

test("refuses an image of an unknown key before the download", async () => {
  await refusedByEnds(await image("1.1.0", { signers: [strangeSigner] }), "key-unknown");
});

test("refuses an image for another revision before the download", async () => {
  await refusedByEnds(await image("1.1.0", { hardware: "esp32c3-b" }), "hardware-mismatch");
});

test("refuses an image for no hardware at all before the download", async () => {
  await refusedByEnds(await image("1.1.0", { hardware: null }), "hardware-mismatch");
});

test("refuses a lower security counter before the download", async () => {
  await refusedByEnds(await image("1.1.0", { securityCounter: 0 }), "security-counter");
});

test("refuses an older version before the download", async () => {
  await refusedByEnds(await image("0.9.0"), "downgrade");
});

test("refuses an image that is larger than swap-using-move can take, with the numbers, before any request for it", async () => {
  const file = await image("1.1.0", { paddingBytes: 1_822_720 });
  const bench = await refusedFor(file, "image-too-large");
  assert.deepEqual(bench.server.artifactRanges, []);
  const says = `1.1.0 refused: the image has ${file.length} bytes, the slots take at most 1822720`;
  assert.ok(bench.device.console.includes(`error: ${says}`), bench.device.console.join("\n"));
});

const board = deviceLayout("esp32-4m");
const slot = (offsetBytes: number, sizeBytes: number) => slotExtent({ offsetBytes, sizeBytes });
const badSlots: ReadonlyArray<readonly [string, Partial<DeviceLayout>, RegExp]> = [
  [
    "are unequal",
    { secondary: slot(board.secondary.offsetBytes, board.secondary.sizeBytes - 4096) },
    /the primary slot has 1835008 bytes, the secondary 1830912: make them equal/,
  ],
  [
    "overlap",
    { secondary: slot(board.secondary.offsetBytes - 4096, board.secondary.sizeBytes) },
    /the primary slot, 131072 to 1966080, overlaps the secondary, 1961984 to 3796992/,
  ],
];

for (const [what, change, says] of badSlots)
  test(`runs on with slots that ${what}, and refuses every update with the numbers`, async () => {
    const bench = await offered(await image("1.1.0"), { layout: { ...board, ...change } });
    assert.equal(bench.running, "1.0.0");
    assert.equal(bench.verdict, "closed failure state=failed version=1.1.0 reason=slot-layout");
    assert.deepEqual(bench.server.artifactRanges, []);
    assert.match(bench.device.console.join("\n"), says);
    assert.deepEqual(bench.boots, ["booted 1.0.0 power-on"]);
  });

/**
 * The device's bootloader says this of itself from its next power-on on; null makes it say nothing.
 */
function restate(bench: DeviceBench, change: Partial<BootloaderRecord> | null): void {
  const { layout } = bench.world;
  const record = { ...recordOf(sluiceConfig(layout, [benchSigner.key]), 4), ...change };
  const program = bootloaderProgram(record);
  if (change === null) program.fill(0, program.length - bootloaderRecordBytes);
  bench.device.device.flash.poke(layout.boot?.offsetBytes ?? 0, program);
}

const bootloaders: ReadonlyArray<readonly [string, Partial<BootloaderRecord> | null, RegExp]> = [
  ["overwrites the only image", { mode: "overwrite-only" }, /works by overwrite-only/],
  [
    "was built for smaller slots",
    { imageSectorsMax: 128 },
    /sectors of a slot as 128, this .* 448/,
  ],
  ["does not say what it is", null, /does not say how it swaps \(no-record\)/],
];

for (const [what, change, says] of bootloaders)
  for (const engine of ["node", "xs"] as const)
    test(`refuses every update under a bootloader that ${what}, on the engine ${engine}`, async () => {
      const bench = await DeviceBench.start({ engine });
      restate(bench, change);
      bench.offer("1", "1.1.0", await image("1.1.0"));
      await bench.powerOn();
      await bench.pass(30);
      bench.world.close();
      assert.equal(
        bench.verdict,
        "closed failure state=failed version=1.1.0 reason=bootloader-mode",
      );
      assert.deepEqual(bench.server.artifactRanges, []);
      assert.match(bench.device.console.join("\n"), says);
      assert.deepEqual(bench.boots, ["booted 1.0.0 power-on"]);
    });

test("refuses a truncated image before the download", async () => {
  const file = await image("1.1.0");
  await refusedByEnds(file.subarray(0, file.length - 40), "image-malformed");
});

test("refuses bytes that are no image", async () => {
  await refusedByEnds(new Uint8Array(5000).fill(0x42), "image-malformed");
});

test("refuses a tampered signature before the download", async () => {
  const file = (await image("1.1.0")).slice();
  file[file.length - 5]! ^= 1;
  await refusedByEnds(file, "signature-invalid");
});

test("refuses a tampered payload after it is in the slot, and never asks for the swap", async () => {
  const file = (await image("1.1.0")).slice();
  file[2000]! ^= 1;
  await refusedFor(file, "hash-mismatch");
});

test("gives up after three whole downloads with a wrong hash", async () => {
  const bench = await DeviceBench.start();
  const file = await image("1.1.0");
  bench.server.interfere = (request, answer) =>
    isBlock(request) && answer.kind === "response"
      ? { ...answer, body: flipped(answer.body) }
      : null;
  bench.offer("1", "1.1.0", file);
  await bench.powerOn();
  await bench.pass(30);
  assert.equal(bench.verdict, "closed failure state=failed version=1.1.0 reason=hash-mismatch");
  const starts = bench.server.artifactRanges.filter((range) => range === "bytes=0-65535");
  assert.equal(starts.length, 3);
  bench.world.close();
});

test("installs after a corrupted download that was whole the second time", async () => {
  let corrupt = true;
  const bench = await interfered((request, answer) => {
    if (!corrupt || !isBlock(request) || answer.kind !== "response") return null;
    corrupt = false;
    return { ...answer, body: flipped(answer.body) };
  });
  assert.equal(bench.running, "1.1.0");
});

test("fetches a spoilt block again, and that block alone, when the image brings block hashes", async () => {
  let spoilt = "";
  const bench = await DeviceBench.start();
  bench.server.interfere = (request, answer) => {
    const range = request.headers["range"] ?? "";
    if (spoilt !== "" || !range.startsWith("bytes=65536-") || answer.kind !== "response")
      return null;
    spoilt = range;
    return { ...answer, body: flipped(answer.body) };
  };
  const file = await image("1.1.0", { paddingBytes: 200_000, blockBytes: 65_536 });
  bench.offer("1", "1.1.0", file);
  await bench.powerOn();
  await bench.pass(30);
  assert.equal(bench.running, "1.1.0");
  const starts = bench.server.artifactRanges.slice(2).map((range) => /=(\d+)/.exec(range)?.[1]);
  const blocks = Array.from({ length: Math.ceil(file.length / 65_536) }, (_, index) => index);
  const expected = blocks.toSpliced(2, 0, 1).map((block) => String(block * 65_536));
  assert.deepEqual(starts, expected);
  bench.world.close();
});

test("gives a release up whose blocks never match", async () => {
  const bench = await DeviceBench.start();
  bench.server.interfere = (request, answer) =>
    isBlock(request) && answer.kind === "response"
      ? { ...answer, body: flipped(answer.body) }
      : null;
  bench.offer("1", "1.1.0", await image("1.1.0", { paddingBytes: 200_000, blockBytes: 65_536 }));
  await bench.powerOn();
  await bench.pass(60);
  assert.equal(bench.verdict, "closed failure state=failed version=1.1.0 reason=hash-mismatch");
  assert.ok(bench.server.artifactRanges.length <= 4 + 9, "three times three blocks");
  bench.world.close();
});

test("never writes the body of a 200 to a range request", async () => {
  let answered = 0;
  const bench = await interfered((request, answer) => {
    if (!isBlock(request) || answer.kind !== "response" || answered > 2) return null;
    answered += 1;
    return { ...answer, status: 200, headers: { "content-length": String(answer.body.length) } };
  });
  assert.equal(answered, 3);
  assert.equal(bench.running, "1.1.0");
});

for (const [name, answer] of [
  ["a 404", text(404, "{}")],
  ["a 500", text(500, "oops")],
  ["a 503 that says when to come back", text(503, "", { "retry-after": "7" })],
  [
    "a wrong Content-Range",
    { ...text(206, "x".repeat(65_536)), headers: { "content-range": "bytes 0-1/2" } },
  ],
  ["no server", { kind: "unreachable" }],
] as readonly (readonly [string, NetworkAnswer])[])
  test(`goes on after ${name} in the middle of the download`, async () => {
    let left = 3;
    const bench = await interfered((request) => {
      if (!isBlock(request) || left === 0) return null;
      left -= 1;
      return answer;
    });
    assert.equal(left, 0);
    assert.equal(bench.running, "1.1.0");
  });

test("goes on after connections that close in the middle of a body, without asking twice", async () => {
  let breaks = 0;
  const bench = await interfered((request, answer) => {
    if (!isBlock(request) || answer.kind !== "response" || breaks === 4) return null;
    breaks += 1;
    return { ...answer, brokenAfterBytes: 10_000 };
  });
  assert.equal(bench.running, "1.1.0");
  const starts = bench.server.artifactRanges.map((range) => /=(\d+)/.exec(range)?.[1]);
  assert.ok(starts.includes("40000"), starts.join(" "));
});

for (const [name, body] of [
  ["garbage", "<html>busy</html>"],
  ["JSON without an end", '{"config":{"polling":'],
  ["a deep nest", `{"a":${"[".repeat(2000)}${"]".repeat(2000)}}`],
  ["an endless body", "x".repeat(100_000)],
  ["another type", "[]"],
] as const)
  test(`lives with ${name} as the answer to a poll and a deployment`, async () => {
    let polls = 0;
    let deployments = 0;
    const bench = await interfered((request) => {
      if (request.path.includes("/deploymentBase/") && request.method === "GET") {
        deployments += 1;
        return deployments < 3 ? text(200, body) : null;
      }
      if (!request.path.endsWith("/v1/bench")) return null;
      polls += 1;
      return polls < 3 ? text(200, body) : null;
    });
    assert.ok(polls >= 3 && deployments >= 3);
    assert.equal(bench.running, "1.1.0");
  });

test("asks a server that is down less and less often", async () => {
  const bench = await DeviceBench.start();
  bench.server.interfere = () => ({ kind: "unreachable" });
  await bench.powerOn();
  await bench.pass(60);
  const first = bench.server.requests.length;
  await bench.pass(60);
  const second = bench.server.requests.length - first;
  assert.ok(first > 5 && first < 60, `${first} polls in the first hour`);
  assert.ok(second < 40, `${second} polls in the second hour`);
  bench.world.close();
});

/** An update under interference, an hour long. */
async function interfered(
  interfere: (request: SeenRequest, answer: NetworkAnswer) => NetworkAnswer | null,
): Promise<DeviceBench> {
  const bench = await DeviceBench.start();
  bench.server.interfere = interfere;
  bench.offer("1", "1.1.0", await image("1.1.0", { paddingBytes: 150_000 }));
  await bench.powerOn();
  await bench.pass(60);
  bench.world.close();
  return bench;
}

/** Not the two small ranges with which the image is judged. */
function isBlock(request: SeenRequest): boolean {
  const match = /^bytes=(\d+)-(\d+)$/.exec(request.headers["range"] ?? "");
  return match !== null && Number(match[2]) - Number(match[1]) > 8192;
}

function flipped(body: Uint8Array): Uint8Array {
  const copy = body.slice();
  copy[copy.length >> 1]! ^= 0x10;
  return copy;
}
