import assert from "node:assert/strict";
import { test } from "node:test";
import type { CheckOutcome } from "../../../../src/policy/health.ts";
import { defaultHealthSettings } from "../../../../src/policy/health.ts";
import { AgentBench } from "../../../support/agent-bench.ts";
import { smallImage } from "../../../support/small-images.ts";
import { stateText } from "../machine/notation.ts";

const running = await smallImage("1.0.0", 3000);
const newer = await smallImage("1.1.0", 20_000);
const major = await smallImage("2.0.0", 20_000);
const minute = 60_000;

// ---- approval

test("another major version waits for an operator's approval, and says so once", async () => {
  const bench = new AgentBench(running);
  bench.server.offer = { actionId: "7", image: major };
  bench.boot();
  await bench.untilKind("deferred");
  const fetched = bench.http.deliveredBytes;
  await bench.pass(60 * minute);
  assert.equal(stateText(bench.state), "deferred major-not-approved > checking 7");
  assert.ok(bench.http.deliveredBytes - fetched < 10_000);
  assert.equal(
    bench.server.reports.filter((line) => line.includes("major-not-approved")).length,
    1,
  );
  bench.server.offer = { actionId: "7", image: major, approved: true };
  bench.server.revision += 1;
  await bench.untilRestart();
});

test("the device's own user can approve it as well, and that survives a reset", async () => {
  const bench = new AgentBench(running);
  bench.server.offer = { actionId: "7", image: major };
  bench.boot();
  assert.equal(bench.agent.approve(), false);
  await bench.untilKind("deferred");
  assert.equal(bench.agent.approve(), true);
  bench.boot("power-on");
  await bench.untilRestart();
});

test("asks before it installs where the application wants that", async () => {
  const bench = new AgentBench(running, { askBeforeInstall: true });
  bench.server.offer = { actionId: "7", image: newer };
  bench.boot();
  await bench.untilKind("deferred");
  assert.equal(stateText(bench.state), "deferred approval > staged 7");
  await bench.pass(60 * minute);
  assert.equal(bench.restarts, 0);
  bench.agent.approve();
  await bench.untilRestart(10_000);
});

// ---- health checks of a trial

async function onTrial(
  settings: Partial<AgentBench["settings"]> = {},
  prepare?: Parameters<AgentBench["boot"]>[1],
): Promise<AgentBench> {
  const bench = new AgentBench(running, settings);
  bench.server.offer = { actionId: "7", image: newer };
  bench.boot();
  await bench.untilRestart();
  bench.swap();
  bench.boot("software", prepare);
  return bench;
}

test("confirms only when every check of the application passes, too", async () => {
  let outcome: CheckOutcome = "failing";
  const bench = await onTrial({}, (agent) => agent.addHealthCheck("sensor", () => outcome));
  await bench.pass(30_000);
  assert.equal(bench.state.kind, "trial");
  outcome = "passed";
  await bench.pass(2000);
  assert.equal(bench.agent.running.confirmed, true);
});

for (const [name, kind, check, reason] of [
  ["says no", "application", () => false, "health-check"],
  [
    "throws",
    "application",
    () => {
      throw new Error("no sensor");
    },
    "health-check",
  ],
  ["rejects", "application", () => Promise.reject(new Error("no sensor")), "health-check"],
  ["never answers", "application", () => new Promise<boolean>(() => undefined), "health-check"],
  ["misses its peripheral", "peripheral", () => Promise.resolve(false), "peripheral"],
] as const)
  test(`a boot of the trial ends when a check ${name} for a minute`, async () => {
    const bench = await onTrial({}, (agent) => agent.addHealthCheck("sensor", check, kind));
    await bench.untilRestart(2 * minute);
    assert.ok(bench.clock.nowMs >= minute);
    assert.equal(stateText(bench.state), `trial 7 ${reason}`);
  });

test("memory below its floor ends the trial, where the board tells it", async () => {
  const bench = new AgentBench(running, { memoryFloorBytes: 8192 });
  bench.memory = () => ({ usedBytes: 90_000, limitBytes: 96_000 });
  bench.server.offer = { actionId: "7", image: newer };
  bench.boot();
  await bench.untilRestart();
  bench.swap();
  bench.boot("software");
  await bench.untilRestart(2 * minute);
  assert.equal(stateText(bench.state), "trial 7 low-memory");
});

test("two checks of one name are a mistake", async () => {
  const bench = await onTrial();
  bench.agent.addHealthCheck("sensor", () => true);
  assert.throws(() => bench.agent.addHealthCheck("sensor", () => true), RangeError);
  assert.throws(() => bench.agent.addHealthCheck("server", () => true), RangeError);
});

const withoutServer = {
  health: { ...defaultHealthSettings, confirmWithoutServer: true, serverPatienceMs: 20_000 },
};

test("is confirmed without its server where the setting says so and nothing answered at all", async () => {
  const bench = await onTrial(withoutServer);
  bench.server.interfere = () => ({ failure: "connection" });
  await bench.pass(30_000);
  assert.equal(bench.agent.running.confirmed, true);
});

test("is not confirmed without a server that answers", async () => {
  const bench = await onTrial(withoutServer);
  bench.server.interfere = () => ({ status: 500 });
  await bench.untilRestart(2 * minute);
  assert.equal(stateText(bench.state), "trial 7 no-server");
});

// ---- a fault that lasts costs less and less

test("an update that keeps failing for now is tried again with growing pauses, and never given up", async () => {
  const bench = new AgentBench(running);
  bench.unixStartMs = 1_764_000_000_000;
  bench.server.sleep = "00:00:10";
  bench.server.offer = { actionId: "7", image: newer };
  let asked = 0;
  bench.server.interfere = (request) => {
    if (!request.url.includes("/file/")) return null;
    asked += 1;
    return { status: 404 };
  };
  bench.boot();
  await bench.pass(3 * 60 * minute);
  const early = asked;
  assert.ok(early < 200, `${early} requests for the file in three hours`);
  bench.server.interfere = () => null;
  await bench.untilRestart(2 * 60 * minute);
});
