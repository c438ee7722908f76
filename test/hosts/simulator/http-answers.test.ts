import assert from "node:assert/strict";
import { test } from "node:test";
import { xsEngineMissing } from "../../../hosts/simulator/engines/xs-engine.ts";
import { LoopbackNetwork } from "../../../hosts/simulator/loopback-network.ts";
import type { Network } from "../../../hosts/simulator/network.ts";
import { AnswerServer, answerTo } from "../../support/answer-server.ts";
import { DeviceBench } from "../../support/device-bench.ts";
import { firstDifference, httpAnswers } from "../../support/http-answers.ts";

const first = { entry: "test/support/firmware/asks-http.ts" };

/** What the firmware of a simulated board says of every answer that comes over this network. */
async function said(engine: "node" | "xs", network: Network, url?: string): Promise<string[]> {
  const bench = await DeviceBench.start({ engine, first, network, ...(url && { url }) });
  const lines: string[] = [];
  const { observer } = bench.world;
  bench.world.observer = { ...observer, logged: (_, text) => lines.push(text) };
  await bench.powerOn();
  const { scheduler } = bench.world;
  await scheduler.runUntil(() => lines.includes("answers end"), scheduler.nowMs + 3_600_000);
  assert.deepEqual(bench.boots, ["booted 1.0.0 power-on"]);
  assert.deepEqual(bench.device.device.open?.socket, 0);
  bench.world.close();
  return lines;
}

/** As a real server sends it, segment for segment. */
const scripted: Network = {
  exchange({ path }) {
    const { segments, closes } = answerTo(path);
    const bytes = segments.map((segment) => Buffer.from(segment, "latin1"));
    return Promise.resolve({ kind: "raw", segments: bytes, closes });
  },
};

for (const engine of ["node", "xs"] as const)
  test(`the engine ${engine} reads ${httpAnswers.length} answers as every engine does`, {
    skip: engine === "xs" ? (xsEngineMissing() ?? false) : false,
  }, async () => {
    assert.equal(firstDifference(await said(engine, scripted)), null);
  });

test("a real server's answers reach a simulated device as they are", async (t) => {
  const server = await AnswerServer.start();
  const network = new LoopbackNetwork(200);
  t.after(async () => {
    server.close();
    await network.close();
  });
  const lines = await said("node", network, `http://127.0.0.1:${server.port}`);
  // The network gives a silent server up, in this machine's time, before the device does in its
  // own.
  const silent = `answer ${httpAnswers.length - 1} `;
  assert.ok(lines.includes(`${silent}connection`));
  const heard = lines.map((line) => (line.startsWith(silent) ? `${silent}timeout` : line));
  assert.equal(firstDifference(heard), null);
});
