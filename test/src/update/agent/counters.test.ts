import assert from "node:assert/strict";
import { test } from "node:test";
import { sleepySettings } from "../../../../src/update/settings.ts";
import { AgentBench } from "../../../support/agent-bench.ts";
import { smallImage } from "../../../support/small-images.ts";

const running = await smallImage("1.0.0", 3000);
const newer = await smallImage("1.1.0", 20_000);
const minute = 60_000;
const hour = 60 * minute;

function device(): AgentBench {
  const bench = new AgentBench(running);
  bench.server.takesCounters = true;
  return bench;
}

test("tells its counters hourly, each span once and without a gap", async () => {
  const bench = device();
  bench.boot();
  await bench.pass(6 * hour + 30 * minute);
  const { counters } = bench.server;
  assert.ok(counters.length >= 5 && counters.length <= 6, `${counters.length} reports`);
  assert.deepEqual(
    counters.map(({ id }) => id.slice(id.lastIndexOf("-"))),
    counters.map((_, index) => `-${index}`),
  );
  const spans = counters.map(({ spanMs }) => Number(spanMs));
  assert.ok(
    spans.every((spanMs) => spanMs >= hour && spanMs <= hour + 6 * minute),
    `${spans}`,
  );
  assert.deepEqual(counters[0]?.["boots"], { "power-on": 1 });
  assert.ok(counters.slice(1).every((report) => report["boots"] === undefined));
});

test("a plain hawkBit never sees counters", async () => {
  const bench = new AgentBench(running);
  bench.boot("exception");
  await bench.pass(4 * hour);
  assert.equal(bench.requests.filter((request) => request.includes("counters")).length, 0);
});

for (const reason of ["exception", "watchdog", "brownout"] as const)
  test(`tells of a start for ${reason} at its first poll, before the next one takes it along`, async () => {
    const bench = device();
    bench.boot(reason);
    await bench.pass(minute);
    const [report] = bench.server.counters;
    assert.deepEqual(report?.["boots"], { [reason]: 1 });
    assert.equal(report?.["crashes"], reason === "brownout" ? 0 : 1);
  });

test("counts what went wrong: errors, lost connections, polls that did not come", async () => {
  const bench = device();
  bench.boot();
  await bench.pass(20 * minute);
  bench.server.interfere = ({ url }) => (url.endsWith("/dev-1") ? { failure: "connection" } : null);
  await bench.pass(20 * minute);
  bench.server.interfere = () => null;
  bench.agent.count("pumpStalls");
  bench.agent.count("pumpStalls", 2);
  await bench.pass(40 * minute);
  const [report] = bench.server.counters;
  assert.equal(report?.["disconnects"], 1);
  const missed = Number(report?.["heartbeatsMissed"]);
  assert.ok(missed >= 2 && missed <= 5, `${missed} of 20 minutes of polls every 5`);
  assert.deepEqual(report?.["application"], { pumpStalls: 3 });
  await bench.pass(hour + 6 * minute);
  const next = bench.server.counters[1];
  assert.equal(next?.["disconnects"], 0);
  assert.equal(next?.["heartbeatsMissed"], 0);
  assert.deepEqual(next?.["application"], { pumpStalls: 0 });
});

test("tells the least free memory, and what the battery lost without charging", async () => {
  const bench = device();
  let [percent, usedBytes, charging] = [80, 10_000, false];
  bench.power = () => ({ batteryPercent: percent, charging });
  bench.memory = () => ({ usedBytes, limitBytes: 60_000 });
  bench.boot();
  await bench.pass(30 * minute);
  usedBytes = 40_000;
  percent = 78.5;
  await bench.pass(10 * minute);
  usedBytes = 20_000;
  percent = 77;
  await bench.pass(30 * minute);
  const [first] = bench.server.counters;
  assert.equal(first?.["freeMemoryBytes"], 20_000);
  assert.equal(first?.["batteryDrainPercent"], 3);
  charging = true;
  await bench.pass(10 * minute);
  charging = false;
  percent = 60;
  await bench.pass(hour);
  const [, second] = bench.server.counters;
  assert.equal(second?.["freeMemoryBytes"], 40_000);
  assert.equal(second?.["batteryDrainPercent"], undefined, "it charged in between");
});

test("keeps what a server did not take, and asks when it says", async () => {
  const bench = device();
  bench.boot();
  bench.agent.count("stalls", 5);
  let refused = 0;
  bench.server.interfere = ({ url }) => {
    if (!url.endsWith("/counters") || refused > 0) return null;
    refused += 1;
    return { status: 429, headers: { "retry-after": "1200" } };
  };
  await bench.pass(hour + 6 * minute);
  assert.equal(refused, 1);
  bench.agent.count("stalls");
  assert.equal(bench.server.counters.length, 0);
  await bench.pass(26 * minute);
  const [report] = bench.server.counters;
  assert.deepEqual(report?.["application"], { stalls: 6 });
  assert.match(report?.id ?? "", /-0$/);
  assert.ok(Number(report?.["spanMs"]) > hour + 20 * minute);
});

test("leaves for the next report what is counted while one travels", async () => {
  const bench = device();
  bench.boot();
  bench.agent.count("stalls", 5);
  let counted = 0;
  bench.server.interfere = ({ url }) => {
    if (url.endsWith("/counters") && counted === 0) {
      counted += 1;
      bench.agent.count("stalls", 2);
    }
    return null;
  };
  await bench.pass(2 * hour + 20 * minute);
  const told = bench.server.counters.map((report) => report["application"]);
  assert.deepEqual(told, [{ stalls: 5 }, { stalls: 2 }]);
});

test("begins no report once it is about to restart or to sleep", async () => {
  const bench = device();
  bench.boot("exception");
  bench.agent.sleep(hour);
  await bench.pass(hour);
  assert.equal(bench.server.counters.length, 0);
  const updating = device();
  updating.server.offer = { actionId: "7", image: newer };
  updating.boot();
  await updating.untilRestart();
  assert.equal(updating.server.counters.length, 0);
});

test("a device that wakes for each poll tells in so many of its wakes that it tells hourly", async () => {
  const bench = new AgentBench(running, sleepySettings);
  bench.server.takesCounters = true;
  // The bench draws 0.5: a wake each 40 minutes tells, one each 10 minutes does not.
  for (const [sleep, reports] of [
    ["00:10:00", 0],
    ["00:40:00", 1],
  ] as const) {
    bench.server.sleep = sleep;
    bench.boot("deep-sleep");
    await bench.pass(10_000);
    assert.equal(bench.server.counters.length, reports);
  }
  assert.deepEqual(bench.server.counters[0]?.["boots"], { "deep-sleep": 1 });
});

test("takes sixteen counters with names, and refuses what no report can have", () => {
  const bench = device();
  const agent = bench.boot();
  for (const name of ["", "1st", "a b", "é", "x".repeat(33)])
    assert.throws(() => agent.count(name), RangeError, name);
  for (const by of [-1, 0.5, Number.NaN]) assert.throws(() => agent.count("ok", by), RangeError);
  for (let index = 0; index < 16; index += 1) agent.count(`c${index}`);
  assert.throws(() => agent.count("one-more"), /16 counters may be named, "one-more" is one more/);
  agent.count("c0", 5);
});
