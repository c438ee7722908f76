import assert from "node:assert/strict";
import { sizeLimits, sizeText, sramRegion } from "../../hosts/esp32/size-limits.ts";
import { imageHeaderBytes } from "../../src/image/header.ts";
import type { Scenario } from "./schedule.ts";
import type { Stage } from "./stage.ts";

const { bootloaderBytesMax, imageBytesMax, imageBytesTarget, sramBytesMax } = sizeLimits;
const largestImageBytes = 1_822_720;

/** What was built, against what a board with 4 MiB of flash and the chip's SRAM hold. */
export async function sizeScenarios(stage: Stage): Promise<Scenario[]> {
  return [{ name: "the sizes", run: () => checkSizes(stage) }];
}

async function checkSizes({ checks, kit }: Stage): Promise<void> {
  await checks.check("the bootloader fits its partition", () => {
    console.log(`bootloader: ${sizeText(kit.bootloader.length, bootloaderBytesMax)}`);
    assert.ok(kit.bootloader.length <= bootloaderBytesMax);
  });
  await checks.check("the firmware fits a slot, and has not grown back", () => {
    const bytes = kit.reference.payload.length + imageHeaderBytes;
    console.log(`firmware, against the target: ${sizeText(bytes, imageBytesTarget)}`);
    assert.ok(bytes <= largestImageBytes, sizeText(bytes, largestImageBytes));
    assert.ok(bytes <= imageBytesMax, sizeText(bytes, imageBytesMax));
  });
  await checks.check("the firmware keeps to its SRAM", () => {
    const bytes = kit.reference.usedBytes[sramRegion] ?? Number.POSITIVE_INFINITY;
    console.log(`SRAM, instructions included: ${sizeText(bytes, sramBytesMax)}`);
    assert.ok(bytes <= sramBytesMax, sizeText(bytes, sramBytesMax));
  });
}
