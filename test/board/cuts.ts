import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { until } from "../../hosts/simulator/moddable/real-fleet.ts";
import type { Checks } from "../moddable/checks.ts";
import { BoardDevice } from "./board-device.ts";
import { type Kit, signed } from "./kit.ts";
import { primaryVersion } from "./rollbacks.ts";

const cuts = 20;
const updateSeconds = 300;
const bootMs = 120_000;

/** The power fails at a random moment of an update: the device runs one of both images and ends on the new one. */
export async function checkCuts(checks: Checks, kit: Kit, directory: string): Promise<void> {
  const image = await signed("1.0.0", kit.reference.payload, kit.keys);
  const next = await signed("1.1.0", kit.reference.payload, kit.keys, 2);
  const seed = Number(process.env["SLUICE_SEED"] ?? Date.now() % 1_000_000);
  const random = randomFrom(seed);
  console.log(`moments of the cuts: SLUICE_SEED=${seed}`);
  const one = await BoardDevice.start({ kit, directory: join(directory, "clean"), image });
  const rollout = await one.offer("1.1.0", next);
  const started = performance.now();
  await one.powerOn();
  await until("an update without a cut", updateSeconds, async () => {
    return (await one.fleet.count(rollout, "updated")) === 1;
  });
  const wholeMs = performance.now() - started;
  await one.close();
  for (let cut = 0; cut < cuts; cut += 1) {
    const atMs = Math.round(random() * wholeMs);
    await checks.check(`outlives a cut at ${atMs} ms of ${Math.round(wholeMs)}`, async () => {
      await cutOnce(kit, join(directory, String(cut)), { image, next, atMs });
    });
  }
}

async function cutOnce(
  kit: Kit,
  directory: string,
  {
    image,
    next,
    atMs,
  }: {
    image: Awaited<ReturnType<typeof signed>>;
    next: Awaited<ReturnType<typeof signed>>;
    atMs: number;
  },
): Promise<void> {
  const one = await BoardDevice.start({ kit, directory, image });
  try {
    const rollout = await one.offer("1.1.0", next);
    await one.powerOn();
    await sleep(atMs); // the moment of the cut is what is tried here
    await one.powerOff();
    const chip = await one.powerOn();
    await chip.waitFor(/^info: running 1\.[01]\.0 /, { timeoutMs: bootMs });
    await until("the update after the cut", updateSeconds, async () => {
      return (await one.fleet.count(rollout, "updated")) === 1;
    });
    assert.equal(primaryVersion(one.readFlash()), "1.1.0");
  } catch (error) {
    console.log(one.console.slice(-40).join("\n"));
    throw error;
  } finally {
    await one.close();
  }
}

/** A small generator (mulberry32), so that a seed gives the same moments again. */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 0x1_0000_0000;
  };
}
