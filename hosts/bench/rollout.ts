import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  actionIdOfLink,
  encodeFeedback,
  type Feedback,
  parsePoll,
} from "../../src/protocol/ddi.ts";
import { FleetClient } from "../cli/server/fleet-client.ts";
import { isRollout, type RolloutView } from "../cli/server/fleet-views.ts";
import { publicPemOf } from "../release/keys/signer.ts";
import { aboutAtMost, type Benchmark, type Measurement } from "./benchmark.ts";
import { fillDevices, manyDeviceId } from "./many-devices.ts";
import { MeasuredFleet } from "./measured-fleet.ts";
import { imageOf } from "./planning.ts";
import { newSigner } from "./trust/release-machine.ts";
import { WatchedProcess } from "./watched-process.ts";

const small = 20_000;
const large = 1_000_000;
const hardware = "esp32c3-a";
const token = "one-token-for-all-devices";
const measuredPreviews = 5;

/** From the request to the answer, over HTTP, beside the turns of the thread that serves. */
export const rollouts: Benchmark = {
  name: "rollout",
  about: `previews, plans and verdicts over ${large.toLocaleString("en")} devices`,

  async run() {
    return [
      ...(await onFleet(small, planAndOffer)),
      ...(await timePreviews()),
      ...(await onFleet(large, previewAndJudge)),
    ];
  },
};

interface Scene {
  readonly server: WatchedProcess;
  readonly client: FleetClient;
}

async function onFleet(
  devices: number,
  work: (scene: Scene) => Promise<Measurement[]>,
): Promise<Measurement[]> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const signer = newSigner();
  await fillDevices(join(directory, "fleet.sqlite"), { devices, hardware, token });
  const imageKeys = [publicPemOf(signer.publicKey)];
  const server = await WatchedProcess.start({ directory, imageKeys, online: null });
  try {
    const client = new FleetClient({ fleet: server.url });
    await client.postBytes("/releases/images", await imageOf(0, signer));
    return await work({ server, client });
  } finally {
    await server.close();
    rmSync(directory, { recursive: true });
  }
}

const releaseVersion = "1.1.0";
const allAtOnce = [{ percent: 100, soakSeconds: 0 }];

async function planAndOffer({ server, client }: Scene): Promise<Measurement[]> {
  const name = `rollout of ${small.toLocaleString("en")} devices`;
  const plan = { name: "plan", releaseVersion, stages: allAtOnce };
  const planSeconds = await secondsOf(() => client.post("/rollouts", plan));
  const offerSeconds = await secondsOf(async () => {
    await client.post("/rollouts/1/start", {});
    await offered(server, manyDeviceId(0));
  });
  return [
    { what: `${name}, created and ready, seconds`, value: planSeconds, target: aboutAtMost(1) },
    { what: `${name}, start to first offer, seconds`, value: offerSeconds, target: aboutAtMost(1) },
  ];
}

async function previewAndJudge({ server, client }: Scene): Promise<Measurement[]> {
  const name = `${large.toLocaleString("en")} devices`;
  await server.turns();
  for (let count = 0; count < 2; count += 1)
    await client.post("/rollouts/preview", { releaseVersion });
  const turns = await server.turns();
  const plan = { name: "all", releaseVersion, stages: allAtOnce, start: true };
  const planSeconds = await secondsOf(() => client.post("/rollouts", plan));
  await rollBack(server, manyDeviceId(1));
  const verdictSeconds = await secondsOf(() => rollBack(server, manyDeviceId(2)));
  const { state } = await client.get<RolloutView>("/rollouts/1", isRollout);
  if (state !== "halted") throw new Error(`two of two went back, and the rollout is ${state}`);
  return [
    {
      what: "longest turn of the serving thread during previews, milliseconds of the processor",
      value: turns.longestWorkMs,
      target: aboutAtMost(50),
    },
    {
      what: "the same with what it waited for, milliseconds",
      value: turns.longestMs,
      target: aboutAtMost(50),
    },
    { what: `rollout of ${name}, created and started, seconds`, value: planSeconds },
    {
      what: `verdict over ${name}, four requests of a device that goes back, seconds`,
      value: verdictSeconds,
      target: aboutAtMost(1),
    },
  ];
}

/** By a server whose thread sleeps when nobody asks: one that is watched takes a processor. */
async function timePreviews(): Promise<Measurement[]> {
  const directory = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const signer = newSigner();
  await fillDevices(join(directory, "fleet.sqlite"), { devices: large, hardware, token });
  const imageKeys = [publicPemOf(signer.publicKey)];
  const publishing = await WatchedProcess.start({ directory, imageKeys, online: null });
  const image = await imageOf(0, signer);
  await new FleetClient({ fleet: publishing.url }).postBytes("/releases/images", image);
  await publishing.close();
  const server = await MeasuredFleet.start(directory);
  try {
    const client = new FleetClient({ fleet: server.url });
    const preview = () => secondsOf(() => client.post("/rollouts/preview", { releaseVersion }));
    const firstSeconds = await preview();
    const before = await server.ask({ kind: "cpu" });
    const previews: number[] = [];
    for (let count = 0; count < measuredPreviews; count += 1) previews.push(await preview());
    const after = await server.ask({ kind: "cpu" });
    previews.sort((a, b) => a - b);
    const name = `preview of ${large.toLocaleString("en")} devices`;
    return [
      {
        what: `${name}, seconds, median`,
        value: previews[Math.floor(previews.length / 2)] ?? 0,
        target: aboutAtMost(2),
      },
      {
        what: `${name}, seconds of the processor`,
        value: (after.cpuSeconds - before.cpuSeconds) / measuredPreviews,
        target: aboutAtMost(2),
      },
      { what: `${name}, the first with the start of its thread, seconds`, value: firstSeconds },
    ];
  } finally {
    await server.close();
    rmSync(directory, { recursive: true });
  }
}

const old = `1.0.0;${"0".repeat(64)};confirmed`;

/** Takes the release, and goes back from it: the last report is the one that is judged. */
async function rollBack(server: WatchedProcess, id: string): Promise<void> {
  const offerUrl = await offered(server, id);
  const report = (
    execution: Feedback["execution"],
    finished: Feedback["finished"],
    state: string,
  ) => {
    const details = [`state=${state}`];
    const body = encodeFeedback(actionIdOfLink(offerUrl) ?? "", { execution, finished, details });
    return ask(`${server.url}${pathOf(offerUrl)}/feedback`, body);
  };
  await report("download", "none", "downloading");
  await report("proceeding", "none", "activating");
  await report("closed", "failure", "rolledBack");
}

/** The link of the offer that the device polls for. */
async function offered(server: WatchedProcess, id: string): Promise<string> {
  const poll = parsePoll(await ask(`${server.url}/DEFAULT/controller/v1/${id}`, null));
  const offerUrl = poll?.offerUrl ?? null;
  if (offerUrl === null) throw new Error(`${id} is offered nothing`);
  return offerUrl;
}

function pathOf(url: string): string {
  return new URL(url).pathname;
}

async function ask(url: string, body: Uint8Array | null): Promise<Uint8Array> {
  const headers = { authorization: `TargetToken ${token}`, "sluice-running": old };
  const sent =
    body === null
      ? { headers }
      : {
          headers: { ...headers, "content-type": "application/json" },
          method: "POST",
          body: Buffer.from(body),
        };
  const answer = await fetch(url, sent);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${Buffer.from(bytes).toString()}`);
  return bytes;
}

async function secondsOf(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return (performance.now() - startMs) / 1000;
}
