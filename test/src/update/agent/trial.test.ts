import assert from "node:assert/strict";
import { test } from "node:test";
import { moveTrailerShape } from "../../../../src/image/layout.ts";
import { readTrailer, trailerOffsets } from "../../../../src/image/trailer.ts";
import { AgentBench, slotBytes } from "../../../support/agent-bench.ts";
import type { Script } from "../../../support/scripted-http.ts";
import { smallImage } from "../../../support/small-images.ts";
import { stateText } from "../machine/notation.ts";

const running = await smallImage("1.0.0", 3000);
const newer = await smallImage("1.1.0", 20_000);
const minute = 60_000;
const shape = moveTrailerShape({
  slotBytes,
  sectorBytes: 4096,
  writeBlockBytes: 4,
  maxAlignBytes: 8,
});

/** An update up to the restart, and the swap of the bootloader. */
async function swapped(): Promise<AgentBench> {
  const bench = new AgentBench(running);
  bench.server.offer = { actionId: "7", image: newer };
  bench.boot();
  await bench.untilRestart();
  bench.swap();
  return bench;
}

/** All boots of a trial without a server, then the old image with one. */
async function silentTrial(bench: AgentBench): Promise<void> {
  bench.server.interfere = () => ({ failure: "connection" });
  for (let boot = 0; boot < 3; boot += 1) {
    bench.boot("software");
    await bench.untilRestart();
  }
  bench.revert();
  bench.server.interfere = () => null;
  bench.boot("software");
  await bench.pass(6 * minute);
}

const isConfirmed = (bench: AgentBench): boolean =>
  readTrailer(bench.chip.area(0, slotBytes), shape).imageOk === "set";

test("confirms a trial once the server answered a poll that named it, and reports success", async () => {
  const bench = await swapped();
  bench.boot("software");
  assert.equal(stateText(bench.state), "trial 7");
  await bench.pass(1000);
  const first = bench.http.requests.find(({ method }) => method === "GET");
  assert.equal(first?.headers["sluice-running"], `1.1.0;${newer.imageHash};trial`);
  assert.equal(isConfirmed(bench), true);
  assert.deepEqual(bench.agent.running, {
    version: "1.1.0",
    imageHash: newer.imageHash,
    confirmed: true,
  });
  assert.deepEqual(bench.server.reports.slice(-2), [
    "7 proceeding none state=trial version=1.1.0",
    "7 closed success state=confirmed version=1.1.0",
  ]);
  assert.equal(bench.state.kind, "idle");
});

test("says that it is confirmed from the next request on", async () => {
  const bench = await swapped();
  bench.boot("software");
  await bench.pass(1000);
  const last = bench.http.requests.at(-1);
  assert.equal(last?.headers["sluice-running"], `1.1.0;${newer.imageHash};confirmed`);
});

test("leaves no timer of the trial behind: a confirmed image is not restarted", async () => {
  const bench = await swapped();
  bench.boot("software");
  await bench.pass(30 * minute);
  assert.equal(bench.restarts, 1);
});

for (const [name, reason, script] of [
  ["is out of reach", "no-server", { failure: "connection" }],
  ["does not know the device", "server-refused", { status: 401 }],
  ["fails", "no-server", { status: 500 }],
  ["is something else", "server-refused", { status: 200, body: "<html>sign in</html>" }],
  ["asks to wait for an hour", "no-server", { status: 503, headers: { "retry-after": "3600" } }],
] as const satisfies readonly (readonly [string, string, Script])[])
  test(`ends a boot of the trial after a minute in which the server ${name}`, async () => {
    const bench = await swapped();
    bench.server.interfere = () => script;
    bench.boot("software");
    await bench.untilRestart();
    assert.ok(bench.clock.nowMs >= minute && bench.clock.nowMs < minute + 6000);
    assert.ok(bench.pollsOf() >= 6, `${bench.pollsOf()} polls`);
    assert.equal(isConfirmed(bench), false);
    assert.equal(stateText(bench.state), `trial 7 ${reason}`);
  });

test("confirms a trial whose server comes back within the minute, whatever it asked before", async () => {
  const bench = await swapped();
  bench.server.interfere = () =>
    bench.clock.nowMs < 45_000 ? { status: 503, headers: { "retry-after": "3600" } } : null;
  bench.boot("software");
  await bench.pass(minute);
  assert.equal(isConfirmed(bench), true);
});

test("counts the minute from the start of the firmware", async () => {
  const bench = await swapped();
  bench.server.interfere = () => ({ failure: "timeout" });
  bench.boot("software");
  await bench.untilRestart();
  bench.boot("software");
  await bench.untilRestart();
  assert.ok(bench.clock.nowMs >= minute && bench.clock.nowMs < minute + 6000);
});

test("is rolled back as what the trial found, refuses the image and tells the server once it can", async () => {
  const bench = await swapped();
  bench.server.interfere = () => ({ failure: "connection" });
  for (let boot = 0; boot < 3; boot += 1) {
    bench.boot("software");
    await bench.untilRestart();
  }
  bench.revert();
  bench.boot("software");
  assert.equal(stateText(bench.state), "rolledBack 7 no-server");
  await bench.pass(2 * minute);
  bench.server.interfere = () => null;
  await bench.pass(6 * minute);
  const verdict = "7 closed failure state=rolledBack version=1.1.0 reason=no-server";
  assert.equal(bench.server.reports.at(-1), verdict);
});

test("an image that went back for silence is taken again after an hour, six and a day, and then no more", async () => {
  const bench = await swapped();
  const bar = "state=failed version=1.1.0 reason=rolled-back-before";
  const wait = async (pauseMinutes: number): Promise<void> => {
    for (let passed = 0; passed < pauseMinutes; passed += 10) await bench.pass(10 * minute);
  };
  for (const [actionId, pauseMinutes] of [
    ["9", 60],
    ["11", 6 * 60],
    ["13", 24 * 60],
  ] as const) {
    await silentTrial(bench);
    bench.server.offer = { actionId, image: newer };
    bench.server.revision += 1;
    await bench.untilKind("failed");
    assert.equal(
      stateText(bench.state),
      `failed ${actionId} rolled-back-before > checking ${actionId}`,
    );
    await wait(pauseMinutes - 30);
    assert.equal(bench.server.reports.at(-1), `${actionId} proceeding none ${bar}`);
    await bench.untilRestart(60 * minute);
    bench.swap();
  }
  await silentTrial(bench);
  bench.server.offer = { actionId: "15", image: newer };
  bench.server.revision += 1;
  await bench.untilKind("failed");
  assert.equal(stateText(bench.state), "failed 15 rolled-back-before");
  bench.server.offer = { actionId: "17", image: newer, retry: true };
  bench.server.revision += 1;
  await bench.untilRestart();
});

for (const [reason, expected] of [
  ["exception", "crashed"],
  ["watchdog", "watchdog"],
  ["power-on", "not-confirmed"],
] as const)
  test(`takes an image that never ran as far as its agent for ${expected} after ${reason}`, async () => {
    const bench = await swapped();
    bench.revert();
    bench.boot(reason);
    await bench.pass(minute);
    const verdict = `7 closed failure state=rolledBack version=1.1.0 reason=${expected}`;
    assert.equal(bench.server.reports.at(-1), verdict);
  });

test("restarts when it cannot confirm, and says so if the old image comes back", async () => {
  const bench = await swapped();
  bench.primaryFails = (operation) => operation === "write";
  bench.boot("software");
  await bench.untilRestart(minute);
  assert.equal(stateText(bench.state), "trial 7 confirm-failed");
  bench.primaryFails = () => false;
  bench.revert();
  bench.boot("software");
  await bench.pass(minute);
  assert.match(bench.server.reports.at(-1) ?? "", /rolledBack .* reason=confirm-failed$/);
});

test("tries an image all the same when the storage was lost, and knows its action again by its offer", async () => {
  const bench = await swapped();
  bench.keyValue.values.clear();
  bench.boot("software");
  assert.equal(stateText(bench.state), "trial unknown");
  await bench.pass(6 * minute);
  assert.equal(isConfirmed(bench), true);
  assert.equal(bench.server.reports.at(-1), "7 closed success state=confirmed version=1.1.0");
});

test("goes on with a trial after a power cut between the flag and the journal", async () => {
  const bench = await swapped();
  bench.boot("software");
  bench.server.interfere = () => ({ failure: "connection" });
  await bench.pass(1000);
  const { imageOk } = trailerOffsets({ shape, slotBytes });
  bench.chip.write(imageOk, Uint8Array.of(1, 0xff, 0xff, 0xff));
  bench.server.interfere = () => null;
  bench.boot("power-on");
  await bench.pass(minute);
  assert.equal(bench.server.reports.at(-1), "7 closed success state=confirmed version=1.1.0");
});

test("tells the server of a confirmation that a power cut tore, and goes on as confirmed", async () => {
  const bench = await swapped();
  bench.boot("software");
  bench.server.interfere = () => ({ failure: "connection" });
  await bench.pass(1000);
  const { imageOk } = trailerOffsets({ shape, slotBytes });
  bench.chip.write(imageOk, Uint8Array.of(0x0f, 0xff, 0xff, 0xff));
  bench.server.interfere = () => null;
  bench.server.wantsAttributes = true;
  bench.boot("power-on");
  await bench.pass(minute);
  assert.equal(bench.server.reports.at(-1), "7 closed success state=confirmed version=1.1.0");
  assert.equal(bench.agent.running.confirmed, true);
  assert.equal(bench.server.attributes.at(-1)?.data["confirmation"], "torn");
  assert.ok(bench.log.lines.some((line) => line.includes("confirm-torn:")));
});

test("refuses to be cancelled on trial, and is done", async () => {
  const bench = await swapped();
  bench.server.cancelId = "7";
  bench.boot("software");
  await bench.pass(11 * minute);
  assert.equal(isConfirmed(bench), true);
  assert.ok(bench.server.reports.includes("7 closed success state=confirmed version=1.1.0"));
});

// ---- reports

test("repeats a final report at each poll until the server took it, and then no more", async () => {
  let lost = 3;
  const bench = await swapped();
  bench.server.interfere = (request) => {
    if (!request.url.endsWith("/feedback") || lost === 0) return null;
    lost -= 1;
    return { status: 500 };
  };
  bench.boot("software");
  await bench.pass(21 * minute);
  assert.equal(lost, 0);
  assert.equal(bench.server.reports.at(-1), "7 closed success state=confirmed version=1.1.0");
  assert.equal(bench.state.kind, "idle");
  const before = bench.http.requests.length;
  await bench.pass(21 * minute);
  assert.ok(bench.requests.slice(before).every((request) => request === "GET "));
});

test("repeats a final report after a reset that came before the server took it", async () => {
  const bench = await swapped();
  bench.server.interfere = (request) =>
    request.url.endsWith("/feedback") ? { failure: "timeout" } : null;
  bench.boot("software");
  await bench.untilKind("confirmed");
  bench.server.interfere = () => null;
  bench.boot("power-on");
  await bench.pass(1000);
  assert.equal(bench.server.reports.at(-1), "7 closed success state=confirmed version=1.1.0");
});

test("does not hold back later reports for one that the server refuses for what it says", async () => {
  const bench = await swapped();
  bench.server.interfere = (request) =>
    new TextDecoder().decode(request.body ?? new Uint8Array(0)).includes("state=trial")
      ? { status: 400, body: "unknown state" }
      : null;
  bench.boot("software");
  await bench.pass(1000);
  assert.equal(bench.server.reports.at(-1), "7 closed success state=confirmed version=1.1.0");
});

test("waits with the restart for its last reports, and not for ever", async () => {
  const quick = await swapped();
  quick.boot("software");
  const slow = await swapped();
  slow.server.interfere = (request) =>
    request.url.endsWith("/feedback") ? { hold: () => undefined } : { failure: "connection" };
  slow.boot("software");
  await slow.untilRestart();
  assert.equal(slow.clock.nowMs, minute + 5000);
});

test("sends the report of the activation before the restart", async () => {
  const bench = new AgentBench(running);
  bench.server.offer = { actionId: "7", image: newer };
  const held: ((script: Script) => void)[] = [];
  bench.server.interfere = (request) =>
    new TextDecoder().decode(request.body ?? new Uint8Array(0)).includes("state=activating")
      ? { hold: (finish) => void held.push(finish) }
      : null;
  bench.boot();
  await bench.until(() => held.length === 1);
  assert.equal(bench.restarts, 0);
  held[0]?.({ status: 200 });
  await bench.untilRestart(0);
});

test("does not poll any more once it restarts", async () => {
  const bench = new AgentBench(running);
  bench.server.offer = { actionId: "7", image: newer };
  bench.server.sleep = "00:00:01";
  bench.server.interfere = (request) =>
    new TextDecoder().decode(request.body ?? new Uint8Array(0)).includes("state=activating")
      ? { hold: () => undefined }
      : null;
  bench.boot();
  await bench.until(() => stateText(bench.state) === "activating 7 #1 requested");
  const polls = bench.pollsOf();
  await bench.untilRestart();
  assert.equal(bench.pollsOf(), polls);
});
