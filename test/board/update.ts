import assert from "node:assert/strict";
import { join } from "node:path";
import { BoardDevice, deviceId } from "../../hosts/esp32/emulator/board-device.ts";
import { signed } from "../../hosts/esp32/emulator/board-image.ts";
import { until } from "../../hosts/moddable/real-fleet.ts";
import { stackBytesMax, xsBytesMax } from "./memory-bounds.ts";
import { assertModelAgrees } from "./model.ts";
import { askedAgainBytes, askedTwiceBytes, askedUpToBytes, downloadRanges } from "./ranges.ts";
import type { Scenario } from "./schedule.ts";
import { closing, type Stage } from "./stage.ts";
import { silentSeconds, untilUpdated } from "./until-updated.ts";

const bootSeconds = 90;
const blockBytes = 65_536;
/**
 * The floor below which a trial fails (src/update/settings.ts), and all that there is
 * (CONFIG_HEAP_MEM_POOL_SIZE).
 */
const freeBytesMin = 4096;
const heapPoolBytes = 120_832;

/** From a fresh flash file to an update, and a cut in the middle of a download. */
export async function updateScenarios(stage: Stage): Promise<Scenario[]> {
  return [
    { name: "the update", run: () => checkUpdate(stage) },
    { name: "the resumed download", run: () => checkResume(stage) },
  ];
}

async function checkUpdate({ checks, kit, directory }: Stage): Promise<void> {
  const image = await signed("1.0.0", kit.reference.payload, kit.keys);
  const next = await signed("1.1.0", kit.reference.payload, kit.keys, { securityCounter: 2 });
  const folder = join(directory, "whole");
  const one = await BoardDevice.start({ parts: kit, directory: folder, image });
  await closing(checks, one, async (check) => {
    await one.powerOn();
    await check("boots under the bootloader and finds its identity", async () => {
      const line = /^info: running 1\.0\.0 \(confirmed\) after power-on/;
      await one.chip.waitFor(line, { timeoutMs: bootSeconds * 1000 });
    });
    await check("tells the server its version and the hash of what runs", async () => {
      await until("the first poll", bootSeconds, async () => {
        return (await one.fleet.device(deviceId)).running?.version === "1.0.0";
      });
      assert.equal(await runningHash(one), image.imageHash);
    });
    const rollout = await one.offer("1.1.0", next);
    await check("takes an update, and the server counts it as updated", async () => {
      await untilUpdated(one, rollout);
    });
    await check("starts the new image once, on trial, by a restart of its own", () => {
      assert.deepEqual(one.starts, ["1.0.0 confirmed power-on", "1.1.0 trial software"]);
      assert.equal(one.applicationStarts, 2);
    });
    await check("asks for the image in ranges, for hardly a byte twice", () => {
      const { ranges } = one.fleet;
      assert.ok(ranges.length > next.bytes.length / blockBytes, `only ${ranges.length} ranges`);
      assert.equal(askedUpToBytes(ranges), next.bytes.length);
      // A link that drops on a busy machine costs the rest of a block.
      const twice = askedTwiceBytes(downloadRanges(ranges));
      assert.ok(twice <= blockBytes, `${twice} bytes twice: ${ranges.join(" ")}`);
    });
    await check("reports the hash of the new image as running and confirmed", async () => {
      assert.equal(await runningHash(one), next.imageHash);
    });
    await one.powerOff();
    await one.powerOn();
    await check("stays with the confirmed image after a power cut", async () => {
      const line = /^info: running 1\.1\.0 \(confirmed\) after power-on/;
      await one.chip.waitFor(line, { timeoutMs: bootSeconds * 1000 });
    });
    await check("never uses more of XS than it may, and leaves room on its stack", () => {
      const { slots = 0, chunks = 0, stack = 0 } = one.memory;
      console.log(`memory at the worst moment of an update: ${JSON.stringify(one.memory)}`);
      assert.ok(slots > 0 && slots + chunks <= xsBytesMax, `${slots} + ${chunks} bytes`);
      assert.ok(stack <= stackBytesMax(), `${stack} bytes of the native stack`);
    });
    await check("knows how much memory is left to it", () => {
      const { free = 0 } = one.memory;
      assert.ok(free >= freeBytesMin && free < heapPoolBytes, `${free} bytes`);
    });
    await check("boots three times as the model of the bootloader does", async () => {
      assert.equal(one.boots.length, 3);
      await assertModelAgrees(one.boots, kit.keys.key);
    });
  });
}

async function checkResume({ checks, kit, directory }: Stage): Promise<void> {
  const image = await signed("1.0.0", kit.reference.payload, kit.keys);
  const next = await signed("1.1.0", kit.reference.payload, kit.keys);
  const folder = join(directory, "resumed");
  const one = await BoardDevice.start({ parts: kit, directory: folder, image });
  await closing(checks, one, async (check) => {
    const rollout = await one.offer("1.1.0", next);
    await one.powerOn();
    await check("resumes a download after a cut with at most one block again", async () => {
      const half = next.bytes.length / 2;
      const isHalf = (): boolean => askedUpToBytes(one.fleet.ranges) > half;
      await until("half of the download", silentSeconds, isHalf, () => one.saidCount);
      await one.powerOff();
      const { ranges: before } = one.fleet;
      await one.powerOn();
      await untilUpdated(one, rollout);
      const again = askedAgainBytes(downloadRanges(before), one.fleet.ranges.slice(before.length));
      console.log(`asked for again after a cut in the download: ${again} bytes`);
      assert.ok(again <= blockBytes, `${again} bytes again: ${one.fleet.ranges.join(" ")}`);
    });
    await check("ends on the new image after that cut", () => {
      const first = ["1.0.0 confirmed power-on", "1.0.0 confirmed power-on"];
      assert.deepEqual(one.starts, [...first, "1.1.0 trial software"]);
    });
  });
}

async function runningHash(one: BoardDevice): Promise<string | undefined> {
  const { running } = await one.fleet.device(deviceId);
  return (running as { imageHash?: string } | null)?.imageHash;
}
