import assert from "node:assert/strict";
import { test } from "node:test";
import { sleepySettings } from "../../../../src/update/settings.ts";
import { AgentBench } from "../../../support/agent-bench.ts";
import { smallImage } from "../../../support/small-images.ts";

const running = await smallImage("1.0.0", 3000);
const newer = await smallImage("1.1.0", 100_000);
const wakeMs = 10_000;

/** A device whose download takes half a minute, in blocks of 4 KiB. */
function sleepy(): AgentBench {
  const download = { ...sleepySettings.download, blockBytes: 4096, pauseMs: 1200 };
  const bench = new AgentBench(running, { ...sleepySettings, download });
  bench.server.offer = { actionId: "7", image: newer };
  return bench;
}

/**
 * Wakes for ten seconds, or as long as it is told to stay; answers how long it sleeps, or null for
 * a restart.
 */
async function wake(bench: AgentBench, reason: "power-on" | "software" | "deep-sleep") {
  const { restarts } = bench;
  bench.boot(reason);
  await bench.pass(wakeMs);
  for (let longer = 0; longer < 120 && bench.restarts === restarts; longer += 1) {
    const plan = bench.agent.planSleep();
    if (plan.kind === "sleep") {
      bench.agent.sleep(plan.forMs);
      return plan.forMs;
    }
    await bench.pass(1000);
  }
  assert.ok(bench.restarts > restarts, "two minutes awake");
  return null;
}

test("an update makes progress over wakes of ten seconds, and none of it twice", async () => {
  const bench = sleepy();
  let delivered = 0;
  let wakes = 0;
  for (let slept = await wake(bench, "power-on"); slept !== null; ) {
    wakes += 1;
    assert.ok(wakes < 12, "the download never ends");
    delivered += bench.http.deliveredBytes;
    slept = await wake(bench, "deep-sleep");
  }
  delivered += bench.http.deliveredBytes;
  assert.ok(wakes >= 3, `${wakes} wakes`);
  const again = delivered - newer.bytes.length;
  assert.ok(again < (wakes + 1) * 4096 + 20_000, `${again} bytes more than the image`);
});

test("says that it sleeps until its next poll when there is nothing to do", async () => {
  const bench = sleepy();
  bench.server.offer = null;
  bench.server.sleep = "01:00:00";
  const slept = await wake(bench, "power-on");
  assert.ok(slept !== null && slept > 50 * 60_000 && slept <= 70 * 60_000, `${slept} ms`);
});

test("polls at once when it wakes: ten seconds leave no room for spreading", async () => {
  const bench = sleepy();
  bench.server.offer = null;
  bench.boot("deep-sleep");
  await bench.pass(100);
  assert.equal(bench.pollsOf(), 1);
});

test("stays awake for a trial, and is confirmed without its server where nothing answers", async () => {
  const bench = sleepy();
  while ((await wake(bench, "deep-sleep")) !== null);
  bench.swap();
  bench.server.interfere = () => ({ failure: "connection" });
  bench.boot("software");
  await bench.pass(wakeMs);
  assert.deepEqual(bench.agent.planSleep(), { kind: "stay", reason: "trial" });
  await bench.pass(25_000);
  assert.equal(bench.agent.running.confirmed, true);
});

test("planned sleep is no reset that speaks against an image in its soak", async () => {
  const bench = sleepy();
  while ((await wake(bench, "deep-sleep")) !== null);
  bench.swap();
  await wake(bench, "software");
  bench.server.offer = null;
  bench.server.revision += 1;
  for (let wakes = 0; wakes < 8; wakes += 1) await wake(bench, "deep-sleep");
  assert.equal(bench.state.kind, "idle");
  assert.equal(bench.agent.running.version, "1.1.0");
});
