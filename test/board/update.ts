import assert from "node:assert/strict";
import { join } from "node:path";
import { until } from "../../hosts/simulator/moddable/real-fleet.ts";
import type { Checks } from "../moddable/checks.ts";
import { BoardDevice, deviceId } from "./board-device.ts";
import { type Kit, signed } from "./kit.ts";

const bootSeconds = 60;
const updateSeconds = 240;
const blockBytes = 65_536;
const xsBytesMax = 96 * 1024;
/** Of the 10,240 of native/thread.c. */
const stackBytesMax = 9216;

/** The floor below which a trial fails (src/update/settings.ts), and all that there is (CONFIG_HEAP_MEM_POOL_SIZE). */
const freeBytesMin = 4096;
const heapPoolBytes = 98_304;

/** From a fresh flash file to an update, and a reset in the middle of one. */
export async function checkUpdate(checks: Checks, kit: Kit, directory: string): Promise<void> {
  const image = await signed("1.0.0", kit.reference.payload, kit.keys);
  const next = await signed("1.1.0", kit.reference.payload, kit.keys, 2);
  const one = await BoardDevice.start({ kit, directory: join(directory, "whole"), image });
  try {
    await one.powerOn();
    await checks.check(
      "boots under the bootloader and finds its identity",
      () =>
        one.chip.waitFor(/^info: running 1\.0\.0 \(confirmed\) after power-on/, {
          timeoutMs: bootSeconds * 1000,
        }) as Promise<unknown> as Promise<void>,
    );
    await checks.check("tells the server its version and the hash of what runs", async () => {
      await until("the first poll", bootSeconds, async () => {
        return (await one.fleet.device(deviceId)).running?.version === "1.0.0";
      });
      const { running } = await one.fleet.device(deviceId);
      assert.equal((running as { imageHash?: string }).imageHash, image.imageHash);
    });
    const rollout = await one.offer("1.1.0", next);
    await checks.check("takes an update, and the server counts it as updated", async () => {
      await until("the update", updateSeconds, async () => {
        return (await one.fleet.count(rollout, "updated")) === 1;
      });
    });
    await checks.check("starts the new image once, on trial, by a restart of its own", () => {
      assert.deepEqual(one.starts, ["1.0.0 confirmed power-on", "1.1.0 trial software"]);
      assert.equal(one.applicationStarts, 2);
    });
    await checks.check("asks for the image in ranges, for no byte twice", () => {
      const ranges = one.fleet.ranges.map(parseRange);
      const body = ranges.filter(([from, to]) => !(from === 0 && to === 31));
      assert.ok(body.length > 5, `only ${body.length} ranges`);
      for (const [from, to] of body) assert.ok(to - from < 16 * blockBytes, `${from}-${to}`);
      const asked = body.reduce((sum, [from, to]) => sum + to - from + 1, 0);
      assert.ok(asked <= next.bytes.length + blockBytes, `${asked} of ${next.bytes.length}`);
    });
    await checks.check("reports the hash of the new image as running and confirmed", async () => {
      const { running } = await one.fleet.device(deviceId);
      assert.equal((running as { imageHash?: string }).imageHash, next.imageHash);
    });
    await one.powerOff();
    await one.powerOn();
    await checks.check(
      "stays with the confirmed image after a power cut",
      () =>
        one.chip.waitFor(/^info: running 1\.1\.0 \(confirmed\) after power-on/, {
          timeoutMs: bootSeconds * 1000,
        }) as Promise<unknown> as Promise<void>,
    );
    await checks.check("never uses more than 96 KiB of XS, and leaves room on its stack", () => {
      const { slots = 0, chunks = 0, stack = 0 } = one.memory;
      assert.ok(slots > 0 && slots + chunks <= xsBytesMax, `${slots} + ${chunks} bytes`);
      assert.ok(stack <= stackBytesMax, `${stack} bytes of the native stack`);
    });
    await checks.check("knows how much memory is left to it", () => {
      const { free = 0 } = one.memory;
      assert.ok(free >= freeBytesMin && free < heapPoolBytes, `${free} bytes`);
    });
    console.log(`memory at the worst moment: ${JSON.stringify(one.memory)}`);
  } catch (error) {
    console.log(one.console.slice(-60).join("\n"));
    throw error;
  } finally {
    await one.close();
  }
  await checkResume(checks, kit, join(directory, "resumed"));
}

async function checkResume(checks: Checks, kit: Kit, directory: string): Promise<void> {
  const image = await signed("1.0.0", kit.reference.payload, kit.keys);
  const next = await signed("1.1.0", kit.reference.payload, kit.keys);
  const one = await BoardDevice.start({ kit, directory, image });
  try {
    const rollout = await one.offer("1.1.0", next);
    await one.powerOn();
    await checks.check("resumes a download after a cut with at most one block again", async () => {
      await until(
        "half of the download",
        updateSeconds,
        () => highest(one) > next.bytes.length / 2,
      );
      await one.powerOff();
      const asked = one.fleet.ranges.length;
      const reached = highest(one);
      await one.powerOn();
      await until("the update", updateSeconds, async () => {
        return (await one.fleet.count(rollout, "updated")) === 1;
      });
      const again = one.fleet.ranges.slice(asked).map(parseRange);
      const resumed = again.filter(([from, to]) => !(from === 0 && to === 31))[0]?.[0] ?? 0;
      assert.ok(resumed + 2 * blockBytes >= reached, `resumed at ${resumed} of ${reached}`);
    });
    await checks.check("ends on the new image after that cut", () => {
      assert.deepEqual(one.starts.at(-1), "1.1.0 trial software");
    });
  } catch (error) {
    console.log(one.console.slice(-60).join("\n"));
    throw error;
  } finally {
    await one.close();
  }
}

function highest(one: BoardDevice): number {
  return Math.max(0, ...one.fleet.ranges.map(parseRange).map(([from]) => from));
}

export function parseRange(range: string): readonly [number, number] {
  const match = /^bytes=(\d+)-(\d*)/.exec(range);
  return [Number(match?.[1]), Number(match?.[2])];
}
