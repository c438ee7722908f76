import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent, request } from "undici";
import { aboutAtMost, atMost, type Benchmark } from "./benchmark.ts";
import { MeasuredFleet } from "./measured-fleet.ts";

const devices = 1000;
/**
 * Each device polls once before anything is measured: caches are warm and first contacts are
 * written.
 */
const warmRounds = 2;
const measuredRounds = 5;
const connections = 16;

/**
 * What a poll costs that finds nothing to do, over HTTP, with the server in a process of its own.
 */
export const idlePoll: Benchmark = {
  name: "idle-poll",
  about: `server CPU and SQL writes of polls with nothing to do, ${devices} devices`,

  async run() {
    const directory = mkdtempSync(join(tmpdir(), "sluice-bench-"));
    const server = await MeasuredFleet.start(directory);
    const agent = new Agent({ connections, pipelining: 1 });
    try {
      const tokens = await addDevices(server.url, agent);
      const round = () => pollAll(server.url, tokens, agent);
      for (let count = 0; count < warmRounds; count += 1) await round();
      await server.ask({ kind: "tick" });
      const versionBefore = server.dataVersion;
      const before = await server.ask({ kind: "cpu" });
      for (let count = 0; count < measuredRounds; count += 1) await round();
      const after = await server.ask({ kind: "cpu" });
      const polls = measuredRounds * devices;
      const seconds = after.cpuSeconds - before.cpuSeconds;
      const writes = server.dataVersion === versionBefore ? 0 : 1;
      return [
        { what: "idle polls", value: polls },
        {
          what: "server CPU per 1,000 idle polls, seconds",
          value: (seconds * 1000) / polls,
          target: aboutAtMost(0.1),
        },
        {
          what: "SQL writes during idle polls, 1 if any",
          value: writes,
          target: atMost(0),
        },
      ];
    } finally {
      await agent.close();
      await server.close();
      rmSync(directory, { recursive: true });
    }
  },
};

async function addDevices(url: string, agent: Agent): Promise<Map<string, string>> {
  const tokens = new Map<string, string>();
  for (let number = 0; number < devices; number += 1) {
    const id = `bench-${number}`;
    const answer = await request(`${url}/api/v1/devices`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ id, hardware: "esp32c3-a" }),
      dispatcher: agent,
    });
    if (answer.statusCode !== 201)
      throw new Error(`adding ${id} was answered with ${answer.statusCode}`);
    tokens.set(id, ((await answer.body.json()) as { token: string }).token);
  }
  return tokens;
}

async function pollAll(
  url: string,
  tokens: ReadonlyMap<string, string>,
  agent: Agent,
): Promise<void> {
  const running = `1.0.0;${"0".repeat(64)};confirmed`;
  const waiting = [...tokens];
  const takeOneByOne = async (): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [id, token] = next;
      const answer = await request(`${url}/DEFAULT/controller/v1/${id}`, {
        headers: { authorization: `TargetToken ${token}`, "sluice-running": running },
        dispatcher: agent,
      });
      await answer.body.dump();
      if (answer.statusCode !== 200) throw new Error(`a poll was answered ${answer.statusCode}`);
    }
  };
  await Promise.all(Array.from({ length: connections }, takeOneByOne));
}
