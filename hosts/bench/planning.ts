import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { plainImage, writeImage } from "../../src/image/writer.ts";
import { FleetClient } from "../cli/server/fleet-client.ts";
import { publicPemOf, type Signer } from "../release/keys/signer.ts";
import { nodeCrypto } from "../release/node-crypto.ts";
import { aboutAtMost, type Benchmark, type Measurement } from "./benchmark.ts";
import { addManyDevices } from "./many-devices.ts";
import { newSigner } from "./trust/release-machine.ts";
import type { Turns } from "./turn-watch.ts";
import { WatchedProcess } from "./watched-process.ts";

const devices = 20_000;
const hardware = "esp32c3-a";
const payloadBytes = 1_500_000;
/** After one that pays for what is compiled at its first use. */
const measuredRounds = 5;

/**
 * From the request to the answer, over HTTP; the turns are those of the thread that serves
 * meanwhile.
 */
export const planning: Benchmark = {
  name: "planning",
  about: `publishing an image and planning rollouts of ${devices.toLocaleString("en")} devices: time, and how long the server's thread is held`,

  async run() {
    const directory = mkdtempSync(join(tmpdir(), "sluice-bench-"));
    const signer = newSigner();
    const imageKeys = [publicPemOf(signer.publicKey)];
    const token = "nobody polls here";
    await addManyDevices(join(directory, "fleet.sqlite"), { devices, hardware, token });
    const server = await WatchedProcess.start({ directory, imageKeys, online: null });
    try {
      const client = new FleetClient({ fleet: server.url });
      const rounds: Round[] = [];
      for (let number = 0; number <= measuredRounds; number += 1) {
        const image = await imageOf(number, signer);
        await server.turns();
        await client.postBytes("/releases/images", image);
        const startMs = performance.now();
        await client.post("/rollouts", { name: "plan", releaseVersion: `1.1.${number}` });
        const planMs = performance.now() - startMs;
        rounds.push({ planMs, ...(await server.turns()) });
      }
      return told(rounds.slice(1));
    } finally {
      await server.close();
      rmSync(directory, { recursive: true });
    }
  },
};

interface Round extends Turns {
  readonly planMs: number;
}

function told(rounds: readonly Round[]): Measurement[] {
  const median = (values: readonly number[]): number =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  const longest = rounds.map(({ longestMs }) => longestMs);
  return [
    {
      what: "a plan from request to answer, seconds, median",
      value: median(rounds.map(({ planMs }) => planMs)) / 1000,
      target: aboutAtMost(1),
    },
    {
      what: "processor time of a release and its plan, seconds, median",
      value: median(rounds.map(({ cpuMs }) => cpuMs)) / 1000,
      target: aboutAtMost(1),
    },
    {
      what: "longest turn of the serving thread in a round, milliseconds, median",
      value: median(longest),
      target: aboutAtMost(50),
    },
    {
      what: "longest of all rounds, milliseconds",
      value: Math.max(...longest),
      target: aboutAtMost(50),
    },
    {
      what: "the same with other programs' time, milliseconds",
      value: Math.max(...rounds.map(({ longestDelayMs }) => longestDelayMs)),
    },
  ];
}

export async function imageOf(
  revision: number,
  signer: Signer,
  bytes = payloadBytes,
): Promise<Uint8Array> {
  const version = { major: 1, minor: 1, revision, build: 0 };
  const options = { ...plainImage, version, hardware };
  const payload = new Uint8Array(bytes).fill(revision);
  const written = await writeImage(payload, options, nodeCrypto, [signer]);
  if (!written.ok) throw new Error(`no image: ${written.reason}`);
  return written.image;
}
