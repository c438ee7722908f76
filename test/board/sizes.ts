import assert from "node:assert/strict";
import type { Scenario } from "./schedule.ts";
import type { Stage } from "./stage.ts";

const bootloaderBytesMax = 65_536;
const sramBytesMax = 230_000;
const largestImageBytes = 1_822_720;

/** What was built, against what a board with 4 MiB of flash and the chip's SRAM hold. */
export async function sizeScenarios(stage: Stage): Promise<Scenario[]> {
  return [{ name: "the sizes", run: () => checkSizes(stage) }];
}

async function checkSizes({ checks, kit }: Stage): Promise<void> {
  await checks.check("the bootloader fits its partition", () => {
    console.log(`bootloader: ${kit.bootloader.length} of ${bootloaderBytesMax} bytes`);
    assert.ok(kit.bootloader.length <= bootloaderBytesMax);
  });
  await checks.check("the firmware fits a slot", () => {
    const bytes = kit.reference.payload.length;
    console.log(`firmware: ${bytes} of ${largestImageBytes} bytes`);
    assert.ok(bytes < largestImageBytes);
  });
  await checks.check("the firmware keeps to its SRAM", () => {
    const bytes = kit.reference.usedBytes["dram0_0_seg"] ?? Number.POSITIVE_INFINITY;
    console.log(`SRAM, instructions included: ${bytes} of ${sramBytesMax} bytes`);
    assert.ok(bytes <= sramBytesMax, `${bytes} bytes`);
  });
}
