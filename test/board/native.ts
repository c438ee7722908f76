// The same firmware on Zephyr's native_sim: npm run test:board -- --native.
import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { findBoardTools } from "../../hosts/esp32/board-tools.ts";
import { nativePayload } from "../../hosts/esp32/native-sim/board.ts";
import { deviceLayout } from "../../hosts/flash/board-layout.ts";
import { deviceId, OneDevice } from "../../hosts/moddable/one-device.ts";
import { until } from "../../hosts/moddable/real-fleet.ts";
import { projectRoot } from "../../hosts/moddable/sdk.ts";
import { Checks } from "../moddable/checks.ts";
import { soakNative } from "./native-soak.ts";

const pollSeconds = 60;
const updateSeconds = 300;
const blockBytes = 65_536;
const layout = deviceLayout("esp32-4m");
const settings = { trialSeconds: 120, firstPollSeconds: 1 };

/**
 * Parts: none, or the soak alone. The exit code: 2 when something is missing, which it names, 1
 * when a check failed.
 */
export async function runNative(parts: readonly string[]): Promise<number> {
  const unknown = parts.filter((name) => name !== "soak");
  if (unknown.length > 0) {
    console.error(`no part of native_sim is called "${unknown.join(" ")}": soak, or none`);
    return 2;
  }
  const found = await findBoardTools(process.env, "host");
  if (!found.ok) {
    for (const line of found.missing) console.error(line);
    return 2;
  }
  const checks = new Checks();
  const directory = join(projectRoot, ".build", "esp32", "runs", String(process.pid));
  let payload: Uint8Array | null = null;
  try {
    await checks.check("the firmware builds for native_sim", async () => {
      const built = await nativePayload(found.tools, { settings });
      if (!built.ok) throw new Error(built.message);
      payload = built.payload;
    });
    if (payload !== null && parts.includes("soak")) await soakNative(checks, payload, directory);
    else if (payload !== null) await checkNative(checks, payload, directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return checks.end();
}

/** No MCUboot runs there: the model swaps between two runs of the program. */
async function checkNative(checks: Checks, payload: Uint8Array, directory: string): Promise<void> {
  const one = await OneDevice.start({ directory, runner: null, payload });
  const { board, fleet } = one;
  try {
    void one.powerOn();
    await checks.check("boots from a file of flash and polls with what runs", async () => {
      await until("the first poll", pollSeconds, async () => {
        return (await fleet.device(deviceId)).running?.version === "1.0.0";
      });
      assert.deepEqual(board.boots, ["booted 1.0.0 power-on"]);
    });
    const { rollout, bytes } = await one.offer("1.1.0", payload);
    await checks.check("goes on with a download after its power was cut in it", async () => {
      await until("half of the download", updateSeconds, () => landed(one) > bytes / 2);
      await one.powerOff();
      const before = landed(one);
      const asked = fleet.ranges.length;
      assert.ok(before < bytes, "the download was over before the cut");
      void one.powerOn();
      await until("the restart", updateSeconds, () => board.boots.length > 2);
      const first =
        fleet.ranges
          .slice(asked)
          .map(startOf)
          .find((start) => start > 0) ?? 0;
      assert.ok(first + blockBytes >= before, `resumed at ${first} of ${before}`);
    });
    await checks.check("asks for the swap, is swapped in and confirms itself", async () => {
      await until("the update", updateSeconds, async () => {
        return (await fleet.count(rollout, "updated")) === 1;
      });
      assert.deepEqual(board.boots.slice(1), ["booted 1.0.0 power-on", "booted 1.1.0 software"]);
    });
    await checks.check("keeps the confirmed image after a power cut", async () => {
      await one.powerOff();
      void one.powerOn();
      await until("the next start", pollSeconds, () => board.boots.length > 3);
      assert.equal(board.boots.at(-1), "booted 1.1.0 power-on");
    });
  } catch (error) {
    console.log(board.boots.concat(board.console.slice(-40)).join("\n"));
    throw error;
  } finally {
    if (process.env["SLUICE_KEEP"] !== undefined) console.log(board.console.slice(-40).join("\n"));
    await one.close();
  }
}

function startOf(range: string): number {
  return Number(/^bytes=(\d+)-/.exec(range)?.[1] ?? 0);
}

/** Bytes of the download that are in the slot. */
function landed(one: OneDevice): number {
  const { offsetBytes: offset, sizeBytes: size } = layout.secondary;
  const slot = readFileSync(one.board.flashFile).subarray(offset, offset + size);
  return 1 + slot.findLastIndex((byte) => byte !== 0xff);
}
