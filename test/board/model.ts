import assert from "node:assert/strict";
import { Worker } from "node:worker_threads";
import type { BootRecord } from "../../hosts/esp32/emulator/board-device.ts";
import { primaryVersion } from "../../hosts/esp32/emulator/board-image.ts";
import type { TrustedImageKey } from "../../src/image/keys.ts";
import type { ModelTask } from "./model-thread.ts";

/**
 * Our model of the bootloader makes of the chip's flash, as it was before each run of the chip's
 * own MCUboot, what that made of it. Throws with the first difference.
 */
export async function assertModelAgrees(
  boots: readonly BootRecord[],
  key: TrustedImageKey,
): Promise<void> {
  assert.ok(boots.length > 0, "no boot was recorded");
  const differences = await modelled({ boots, key });
  assert.equal(differences.length, boots.length);
  for (const [index, difference] of differences.entries()) {
    const { before, after } = boots[index] as BootRecord;
    const versions = `${primaryVersion(before)} -> ${primaryVersion(after)}`;
    const which = `boot ${index + 1} of ${boots.length} (primary slot ${versions})`;
    assert.equal(difference, null, `${which}: ${difference}`);
  }
}

function modelled(task: ModelTask): Promise<readonly (string | null)[]> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL("./model-thread.ts", import.meta.url), { workerData: task });
    thread.once("message", resolve);
    thread.once("error", reject);
    thread.once("exit", (code) => reject(new Error(`the model ended with ${code}`)));
  });
}
