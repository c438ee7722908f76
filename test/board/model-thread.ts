// Runs our model of the bootloader, away from the thread that listens to the chips.
import { parentPort, workerData } from "node:worker_threads";
import type { BootRecord } from "../../hosts/esp32/emulator/board-device.ts";
import { layout } from "../../hosts/esp32/emulator/board-image.ts";
import { NorFlash } from "../../hosts/flash/nor-flash.ts";
import { bootDevice } from "../../hosts/mcuboot-model/sluice-config.ts";
import type { TrustedImageKey } from "../../src/image/keys.ts";

export interface ModelTask {
  readonly boots: readonly BootRecord[];
  readonly key: TrustedImageKey;
}

const { primary, secondary, bootctl } = layout;
const compared = { primary, secondary, bootctl };

const { boots, key } = workerData as ModelTask;
parentPort?.postMessage(boots.map((boot) => difference(boot, key)));

/**
 * Null when the model makes the same of the flash, byte for byte: slots, trailers in them, and
 * trial counter.
 */
function difference({ before, after }: BootRecord, trusted: TrustedImageKey): string | null {
  const flash = NorFlash.fromBytes(before, 4);
  const { outcome } = bootDevice(flash, layout, [trusted]);
  if (outcome !== "booted") return `the model ends with "${outcome}"`;
  for (const [name, { offsetBytes: offset, sizeBytes: size }] of Object.entries(compared)) {
    const made = new Uint8Array(size);
    flash.area(offset, size).read(0, made);
    const at = made.findIndex((byte, index) => byte !== after[offset + index]);
    if (at >= 0)
      return `${name} differs at byte ${at} of ${size}: model ${made[at]}, chip ${after[offset + at]}`;
  }
  return null;
}
