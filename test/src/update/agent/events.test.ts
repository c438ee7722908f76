import assert from "node:assert/strict";
import { test } from "node:test";
import { updateEventTypes } from "../../../../src/protocol/events.ts";
import { AgentBench } from "../../../support/agent-bench.ts";
import { smallImage } from "../../../support/small-images.ts";
import type { SmallEvent } from "../../../support/small-server.ts";

const running = await smallImage("1.0.0", 3000);
const newer = await smallImage("1.1.0", 100_000);
const minute = 60_000;

async function restarted(): Promise<AgentBench> {
  const bench = new AgentBench(running);
  bench.power = () => ({ batteryPercent: 80, charging: true });
  Object.assign(bench.settings, { download: { ...bench.settings.download, blockBytes: 8192 } });
  bench.server.offer = { actionId: "7", image: newer };
  bench.boot();
  await bench.untilRestart();
  return bench;
}

/** One line each: the type, and what of its details depends on nothing but the update. */
const lines = (events: readonly SmallEvent[]): string[] =>
  events.map(({ type, details }) => {
    const { signalDbm, batteryPercent, ...rest } = details;
    assert.equal(signalDbm, -61);
    assert.equal(batteryPercent, 80);
    return [type.replace("update.", ""), ...Object.values(rest).map(String)].join(" ");
  });

test("tells an update from the check to its health, in order and each once", async () => {
  const bench = await restarted();
  bench.swap();
  bench.boot("software");
  await bench.pass(12 * minute);
  const size = newer.bytes.length;
  const told = lines(bench.server.events).filter((line) => !line.startsWith("download.progress"));
  assert.deepEqual(told, [
    "check.started",
    "check.completed 1.1.0 null",
    `download.started 1.1.0 0 ${size}`,
    `download.completed 1.1.0 ${size} 0`,
    "install.started 1.1.0",
    "reboot.started 1.0.0 1.1.0",
    "reboot.completed null 1.1.0 software",
    "install.completed 1.1.0",
    "health.ok 1.1.0",
  ]);
  const percents = bench.server.events
    .filter(({ type }) => type === "update.download.progress")
    .map(({ details }) => details["percent"]);
  assert.deepEqual(percents, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
});

test("tells a trial that fails, and the way back", async () => {
  const bench = await restarted();
  bench.swap();
  bench.boot("software", (agent) => agent.addHealthCheck("sensor", () => false));
  await bench.untilRestart(2 * minute);
  bench.revert();
  bench.boot("software");
  await bench.pass(6 * minute);
  const told = lines(bench.server.events);
  assert.deepEqual(told.slice(told.indexOf("install.completed 1.1.0") + 1), [
    "health.failed 1.1.0 health-check",
    "reboot.started 1.1.0 ?",
    "reboot.completed null 1.0.0 software",
    "rollback.triggered 1.1.0 1.0.0 health-check",
    "rollback.completed 1.1.0 1.0.0 health-check",
  ]);
});

test("tells a download that fails, and what it tried", async () => {
  const bench = new AgentBench(running);
  bench.power = () => ({ batteryPercent: 80, charging: true });
  bench.server.offer = { actionId: "7", image: newer };
  let files = 0;
  bench.server.interfere = ({ url }) => {
    if (!url.includes("/file/")) return null;
    files += 1;
    return files > 2 ? { failure: "connection" } : null;
  };
  bench.boot();
  await bench.untilKind("failed");
  await bench.pass(10 * minute);
  const failed = lines(bench.server.events).find((line) => line.startsWith("download.failed"));
  assert.match(failed ?? "", /^download\.failed 1\.1\.0 network \d+ \d+$/);
});

test("tells of no restart when lost work is taken up", async () => {
  const bench = await restarted();
  bench.swap();
  const { keyValue } = bench;
  const read = keyValue.read.bind(keyValue);
  let lost = 0;
  keyValue.read = (key) => {
    // The list of refused images is read for every event: one exception there loses the verdict.
    if (lost === 0 && bench.kind === "trial" && key === "refused") {
      lost += 1;
      throw new TypeError("undefined is not a function");
    }
    return read(key);
  };
  bench.boot("software");
  await bench.pass(12 * minute);
  assert.equal(lost, 1);
  const restarts = lines(bench.server.events).filter((line) => line.startsWith("reboot.completed"));
  assert.equal(restarts.length, 1);
});

test("tells it again until the server took it, under ids that never change", async () => {
  const bench = new AgentBench(running);
  bench.power = () => ({ batteryPercent: 80, charging: true });
  bench.server.offer = { actionId: "7", image: newer };
  const seen: string[][] = [];
  bench.server.interfere = (request) => {
    if (!request.url.endsWith("/events") || seen.length >= 2) return null;
    const body = new TextDecoder().decode(request.body ?? new Uint8Array(0));
    seen.push((JSON.parse(body) as SmallEvent[]).map(({ id }) => id));
    return { status: 503 };
  };
  bench.boot();
  await bench.untilRestart();
  bench.swap();
  bench.boot("software");
  await bench.pass(20 * minute);
  const ids = bench.server.events.map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(seen.length === 2);
  assert.ok(ids.length >= 4, ids.join(" "));
});

test("knows 14 events", () => {
  assert.equal(updateEventTypes.length, 14);
});
