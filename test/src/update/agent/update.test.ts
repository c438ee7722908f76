import assert from "node:assert/strict";
import { test } from "node:test";
import { AgentBench, slotBytes } from "../../../support/agent-bench.ts";
import { smallImage, unknownSigner } from "../../../support/small-images.ts";
import { stateText } from "../machine/notation.ts";

const running = await smallImage("1.0.0", 3000);
const newer = await smallImage("1.1.0", 100_000);
const older = await smallImage("0.9.0", 2000);
const newest = await smallImage("1.2.0", 60_000);
const minute = 60_000;

function booted(setUp: (bench: AgentBench) => void = () => undefined): AgentBench {
  const bench = new AgentBench(running);
  setUp(bench);
  bench.boot();
  return bench;
}

const offered = (setUp: (bench: AgentBench) => void = () => undefined): AgentBench =>
  booted((bench) => {
    bench.server.offer = { actionId: "7", image: newer };
    setUp(bench);
  });

const closed = (reason: string, version = "1.1.0"): string =>
  `7 closed failure state=failed version=${version} reason=${reason}`;

test("takes an offer from the poll to the restart, and the slot holds the image", async () => {
  const bench = offered();
  await bench.untilRestart();
  assert.deepEqual(bench.server.reports, [
    "7 proceeding none state=checking version=1.1.0",
    "7 download none state=downloading version=1.1.0",
    "7 downloaded none state=verifying version=1.1.0",
    "7 proceeding none state=activating version=1.1.0",
  ]);
  assert.deepEqual(bench.chip.peek(slotBytes, newer.bytes.length), newer.bytes);
  assert.equal(stateText(bench.state), "activating 7 #1 requested");
});

test("takes an offer of a plain hawkBit, which does not say what will run", async () => {
  const bench = booted((fresh) => {
    fresh.server.offer = { actionId: "7", image: newer, imageHash: null };
  });
  await bench.untilRestart();
});

test("writes each byte once, and the journal a handful of times", async () => {
  const bench = offered();
  await bench.untilRestart();
  const { bytesProgrammed, erases } = bench.chip.counts;
  assert.equal(erases, 0);
  assert.ok(bytesProgrammed <= 1.01 * newer.bytes.length);
  const states = bench.keyValue.writes.filter(({ key }) => key === "update");
  assert.ok(states.length <= 10, `${states.length} states`);
  // and the block hashes and what is told of it
  assert.ok(bench.keyValue.writes.length <= 16, `${bench.keyValue.writes.length} writes`);
});

test("stores that the swap was asked for before it restarts", async () => {
  const bench = offered();
  await bench.untilRestart();
  const stored = new TextDecoder().decode(bench.keyValue.values.get("update"));
  assert.match(stored, /"activating".*"requested":true/);
});

test("polls on while it downloads", async () => {
  const bench = offered((fresh) => {
    fresh.server.sleep = "00:00:01";
    const { settings } = fresh;
    Object.assign(settings, { download: { ...settings.download, blockBytes: 4096, pauseMs: 500 } });
  });
  await bench.untilRestart();
  assert.ok(bench.pollsOf() > 10);
});

test("finds its server also when that spells its own address in another way", async () => {
  for (const spelling of ["http://fleet.test", "https://internal:9999"]) {
    const bench = offered((fresh) => {
      fresh.server.spelling = spelling;
      fresh.server.wantsAttributes = true;
    });
    await bench.untilRestart();
    assert.ok(bench.http.requests.every(({ url }) => url.startsWith("http://fleet.test:8080/")));
    assert.equal(bench.server.attributes.length, 1);
  }
});

// ---- images that are not for this device

for (const [reason, image] of [
  ["key-unknown", await smallImage("1.1.0", 2000, { signer: unknownSigner })],
  ["hardware-mismatch", await smallImage("1.1.0", 2000, { hardware: "esp32c3-b" })],
  ["hardware-mismatch", await smallImage("1.1.0", 2000, { hardware: null })],
  ["security-counter", await smallImage("1.1.0", 2000, { securityCounter: 0 })],
  ["downgrade", older],
  ["image-too-large", await smallImage("1.1.0", slotBytes - 8000)],
] as const)
  test(`refuses an image before it touches the slot: ${reason}`, async () => {
    const bench = booted((fresh) => {
      fresh.server.offer = { actionId: "7", image };
    });
    await bench.untilKind("failed");
    await bench.pass(6 * minute); // what nothing vouches for is read once more
    assert.equal(bench.server.reports.at(-1), closed(reason, image.version));
    assert.deepEqual(bench.chip.counts, { erases: 0, writes: 0, bytesProgrammed: 0 });
    await bench.pass(10 * minute);
    assert.equal(bench.state.kind, "idle");
  });

test("refuses an image that is not the one that was announced", async () => {
  const bench = booted((fresh) => {
    fresh.server.offer = { actionId: "7", image: newer, imageHash: newest.imageHash };
  });
  await bench.untilKind("failed");
  await bench.pass(6 * minute);
  const failed = bench.server.reports.filter((report) => report.includes("state=failed"));
  const passing = "7 proceeding none state=failed version=1.1.0 reason=offer-mismatch";
  assert.deepEqual(failed, [passing, closed("offer-mismatch")]); // read once more before it is for good
});

test("reports an offer of the image that runs as done, without a download", async () => {
  for (const imageHash of [running.imageHash, null]) {
    const bench = booted((fresh) => {
      fresh.server.offer = { actionId: "7", image: running, imageHash };
    });
    await bench.pass(minute);
    assert.equal(bench.server.reports.at(-1), "7 closed success state=confirmed version=1.0.0");
    assert.equal(bench.state.kind, "idle");
    assert.equal(bench.chip.counts.writes, 0);
  }
});

// ---- transfers that fail

test("downloads a file with a wrong hash three times and no more, however often it is offered", async () => {
  const bench = offered((fresh) => {
    const wrong = newer.bytes.map((byte, index) => (index === 50_000 ? byte ^ 1 : byte));
    fresh.server.interfere = (request) => {
      if (request.url.endsWith("/feedback")) return { status: 500 };
      const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers["range"] ?? "");
      if (range === null) return null;
      const [from, to] = [Number(range[1]), Number(range[2])];
      return {
        status: 206,
        headers: { "content-range": `bytes ${from}-${to}/${wrong.length}` },
        body: wrong.subarray(from, to + 1),
      };
    };
  });
  await bench.untilKind("failed");
  const fetched = (): number => bench.http.deliveredBytes;
  assert.ok(fetched() > 3 * newer.bytes.length && fetched() < 3.1 * newer.bytes.length);
  const before = fetched();
  await bench.pass(60 * minute);
  assert.ok(fetched() - before < 20_000, "only polls since");
  assert.equal(stateText(bench.state), "failed 7 hash-mismatch");
});

test("tries a missing file once per poll", async () => {
  const bench = offered((fresh) => {
    fresh.server.interfere = (request) => (request.url.includes("/file/") ? { status: 404 } : null);
  });
  await bench.pass(31 * minute);
  const tried = bench.requests.filter((request) => request.startsWith("GET /file/"));
  assert.equal(bench.pollsOf(), 7);
  assert.equal(tried.length, 7);
  bench.server.interfere = () => null;
  await bench.untilRestart();
});

test("follows the file to another address under the same action", async () => {
  const bench = offered((fresh) => {
    fresh.server.interfere = (request) =>
      request.url.endsWith("/file/7") ? { status: 403 } : null;
  });
  await bench.untilKind("failed");
  bench.server.offer = { actionId: "7", image: newer, place: "7-signed-again" };
  bench.server.revision += 1;
  await bench.untilRestart();
});

test("does not loop on a failure for good that the server never takes: one report per poll", async () => {
  const bench = booted((fresh) => {
    fresh.server.offer = { actionId: "7", image: older };
    fresh.server.interfere = (request) =>
      request.url.endsWith("/feedback") ? { status: 200 } : null; // taken, and offered again
  });
  await bench.untilKind("failed");
  const before = bench.http.requests.length;
  await bench.pass(60 * minute);
  const since = bench.requests.slice(before);
  const polls = since.filter((request) => request === "GET ").length;
  assert.equal(polls, 12);
  assert.equal(since.filter((request) => request.endsWith("/feedback")).length, polls);
  assert.equal(since.filter((request) => request.includes("/file/")).length, 0);
});

test("withdraws from a failure that could pass when the server does", async () => {
  const bench = offered((fresh) => {
    fresh.server.interfere = (request) => (request.url.includes("/file/") ? { status: 404 } : null);
  });
  await bench.untilKind("failed");
  bench.server.offer = null;
  await bench.pass(6 * minute);
  assert.equal(bench.state.kind, "idle");
});

// ---- another offer, and cancellation

test("takes another offer in the middle of a download, and installs only that one", async () => {
  const bench = offered((fresh) => {
    fresh.server.sleep = "00:00:01";
    const { settings } = fresh;
    Object.assign(settings, { download: { ...settings.download, blockBytes: 4096, pauseMs: 500 } });
  });
  await bench.until(() => bench.chip.counts.writes > 5);
  bench.server.offer = { actionId: "8", image: newest };
  bench.server.revision += 1;
  await bench.untilRestart();
  assert.deepEqual(bench.chip.peek(slotBytes, newest.bytes.length), newest.bytes);
  assert.equal(stateText(bench.state), "activating 8 #1 requested");
  assert.equal(bench.server.reports.at(-1), "8 proceeding none state=activating version=1.2.0");
});

test("takes another offer while it waits out an hour that the file server asked for", async () => {
  const bench = offered((fresh) => {
    fresh.server.interfere = (request) =>
      request.url.includes("/file/7") ? { status: 503, headers: { "retry-after": "3600" } } : null;
  });
  await bench.pass(minute);
  assert.deepEqual(stateText(bench.state), "checking 7");
  bench.server.offer = { actionId: "8", image: newest };
  bench.server.revision += 1;
  await bench.untilRestart(10 * minute);
  assert.equal(stateText(bench.state), "activating 8 #1 requested");
});

test("two actions in a row are both reported", async () => {
  const bench = booted((fresh) => {
    fresh.server.offer = { actionId: "7", image: running };
  });
  await bench.pass(minute);
  bench.server.offer = { actionId: "8", image: newer };
  bench.server.revision += 1;
  await bench.untilRestart();
  assert.deepEqual(
    bench.server.reports.filter((report) => report.includes("closed")),
    ["7 closed success state=confirmed version=1.0.0"],
  );
  assert.ok(bench.server.reports.some((report) => report.startsWith("8 download ")));
});

test("stops a download that the server cancels, and says so", async () => {
  const bench = offered((fresh) => {
    fresh.server.sleep = "00:00:01";
    const { settings } = fresh;
    Object.assign(settings, { download: { ...settings.download, blockBytes: 4096, pauseMs: 500 } });
  });
  await bench.until(() => bench.chip.counts.writes > 5);
  bench.server.cancelId = "7";
  await bench.untilKind("idle");
  const { writes } = bench.chip.counts;
  await bench.pass(minute);
  assert.equal(bench.chip.counts.writes, writes);
  assert.equal(bench.server.reports.at(-1), "cancel closed success state=idle");
  assert.equal(bench.restarts, 0);
});

test("asks again what to cancel until the server takes the answer", async () => {
  let lost = 2;
  const bench = booted((fresh) => {
    fresh.server.cancelId = "6";
    fresh.server.interfere = (request) => {
      if (!request.url.endsWith("/cancelAction/6/feedback") || lost === 0) return null;
      lost -= 1;
      return { failure: "timeout" };
    };
  });
  await bench.pass(11 * minute);
  assert.deepEqual(bench.server.reports, ["cancel closed success state=idle"]);
});

test("tells that it failed before it tells that it stopped", async () => {
  let isDown = true;
  const bench = booted((fresh) => {
    fresh.server.offer = { actionId: "7", image: older };
    fresh.server.interfere = (request) =>
      isDown && request.url.endsWith("/feedback") ? { failure: "timeout" } : null;
  });
  await bench.untilKind("failed");
  isDown = false;
  bench.server.cancelId = "7";
  await bench.pass(6 * minute);
  assert.deepEqual(bench.server.reports.slice(-2), [
    closed("downgrade", "0.9.0"),
    "cancel closed success state=idle",
  ]);
});

// ---- power, window, resets

test("waits for power, then goes on with what it has", async () => {
  const bench = offered((fresh) => {
    fresh.power = () => ({ batteryPercent: 10, charging: false });
  });
  await bench.pass(20 * minute);
  assert.deepEqual(bench.server.reports, [
    "7 scheduled none state=deferred version=1.1.0 reason=low-battery detail=battery 10 %, needs 20 %, for 21.1 mWh (0.6 %) to go",
  ]);
  bench.power = () => ({ batteryPercent: 10, charging: true });
  await bench.untilKind("downloading", 10_000); // no poll is needed for it
  await bench.untilKind("deferred"); // a cable can be pulled in the middle of a swap
  assert.equal(bench.state.kind === "deferred" && bench.state.resume.kind, "staged");
  bench.power = () => ({ batteryPercent: 36, charging: true });
  await bench.untilRestart();
});

for (const [name, closedOffer, openOffer] of [
  ["the window is closed", { window: "unavailable" }, { window: "available" }],
  ["the server says skip", { update: "skip" }, { update: "forced" }],
] as const)
  test(`downloads while ${name}, and swaps once that is over`, async () => {
    const bench = booted((fresh) => {
      fresh.server.offer = { actionId: "7", image: newer, ...closedOffer };
    });
    await bench.untilKind("deferred");
    assert.deepEqual(bench.chip.peek(slotBytes, newer.bytes.length), newer.bytes);
    const transferred = bench.http.deliveredBytes;
    bench.server.offer = { actionId: "7", image: newer, ...openOffer };
    bench.server.revision += 1;
    await bench.untilRestart();
    assert.ok(bench.http.deliveredBytes - transferred < 10_000);
  });

test("does not swap outside the window after a reset either", async () => {
  const bench = booted((fresh) => {
    fresh.server.offer = { actionId: "7", image: newer, window: "unavailable" };
  });
  await bench.untilKind("deferred");
  bench.boot();
  await bench.pass(20 * minute);
  assert.equal(bench.restarts, 0);
  assert.equal(bench.state.kind, "deferred");
});

test("goes on after a reset at any time, and ends with the same image", async () => {
  for (let writes = 0; writes <= 25; writes += 5) {
    const bench = offered();
    await bench.until(() => bench.chip.counts.writes >= writes && bench.state.kind !== "idle");
    bench.boot();
    await bench.untilRestart();
    assert.deepEqual(bench.chip.peek(slotBytes, newer.bytes.length), newer.bytes);
    assert.ok(bench.keyValue.writes.length <= 64);
  }
});
