import assert from "node:assert/strict";
import { test } from "node:test";
import type { AgentOptions } from "../../../../src/update/agent/agent.ts";
import { AgentBench } from "../../../support/agent-bench.ts";
import { smallImage } from "../../../support/small-images.ts";
import { stateText } from "../machine/notation.ts";

const running = await smallImage("1.0.0", 3000);
const newer = await smallImage("1.1.0", 20_000);
const minute = 60_000;

const first: AgentOptions = { data: { schema: 1, migrations: [] } };
const second: AgentOptions = {
  data: {
    schema: 2,
    migrations: [{ from: 1, to: 2, run: (data) => ({ lamps: [data["lamp"] ?? null] }) }],
  },
};

/** A device with data of the first schema, whose new firmware is about to start on trial. */
async function swapped(): Promise<AgentBench> {
  const bench = new AgentBench(running);
  bench.options = first;
  bench.boot();
  assert.deepEqual(bench.agent.data?.write({ lamp: "red" }), { ok: true });
  bench.server.offer = { actionId: "7", image: newer };
  await bench.untilRestart();
  bench.swap();
  return bench;
}

test("the first boot of a trial works on a migrated copy", async () => {
  const bench = await swapped();
  bench.options = second;
  bench.boot("software");
  assert.deepEqual(bench.agent.data?.read(), { lamps: ["red"] });
});

test("a firmware that comes back finds its data as it left it, whatever the trial wrote", async () => {
  const bench = await swapped();
  bench.options = second;
  bench.boot("software");
  bench.agent.data?.write({ lamps: ["green", "blue"] });
  bench.revert();
  bench.options = first;
  bench.boot("software");
  assert.deepEqual(bench.agent.data?.read(), { lamp: "red" });
});

test("the confirm keeps the copy, and a late rollback still finds the original", async () => {
  const bench = await swapped();
  bench.options = second;
  bench.boot("software");
  await bench.untilKind("idle");
  bench.agent.data?.write({ lamps: ["green"] });
  bench.boot("power-on");
  assert.deepEqual(bench.agent.data?.read(), { lamps: ["green"] });
  bench.revert();
  bench.options = first;
  bench.boot("software");
  assert.deepEqual(bench.agent.data?.read(), { lamp: "red" });
});

test("after the soak the original is deleted", async () => {
  const bench = await swapped();
  bench.options = second;
  bench.unixStartMs = 1_795_435_200_000;
  bench.boot("software");
  await bench.untilKind("idle");
  const keys = bench.keyValue.values.size;
  bench.server.offer = null;
  for (let hour = 0; hour < 25; hour += 1) await bench.pass(60 * minute);
  bench.unixStartMs += 25 * 60 * minute;
  bench.boot("power-on");
  assert.ok(bench.keyValue.values.size < keys);
  assert.deepEqual(bench.agent.data?.read(), { lamps: ["red"] });
});

test("data that cannot be migrated ends the trial, and the server hears why", async () => {
  const bench = await swapped();
  bench.options = { data: { schema: 3, migrations: [] } };
  bench.boot("software");
  await bench.untilRestart(minute);
  assert.equal(stateText(bench.state), "trial 7 migration-failed");
  assert.ok(bench.log.lines.some((line) => line.includes("data: missing-step")));
});
