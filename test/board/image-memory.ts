import assert from "node:assert/strict";
import {
  comparedImageBytes,
  type MemoryPeaks,
  peaksForImage,
} from "../../hosts/esp32/emulator/image-memory.ts";
import type { Scenario } from "./schedule.ts";
import type { Stage } from "./stage.ts";

/**
 * A garbage collection falls into a deeper or a flatter call from run to run; the stack is reserved
 * as a whole.
 */
const stackJitterBytes = 512;

/** What an update takes of the chip's memory does not grow with the image. */
export async function memoryScenarios(stage: Stage): Promise<Scenario[]> {
  const { kit, directory, checks } = stage;
  const peaks = new Map<string, MemoryPeaks>();
  const sizes = Object.entries(comparedImageBytes).map(([name, bytes]) => {
    const end = Promise.withResolvers<void>();
    const run = async (): Promise<void> => {
      const { payload } = kit.reference;
      const taken = await peaksForImage(kit, { directory, payload, bytes });
      console.log(`memory for an image of ${bytes} bytes: ${JSON.stringify(taken)}`);
      peaks.set(name, taken);
    };
    const scenario = { name: `the image of ${bytes} bytes`, run: () => run().finally(end.resolve) };
    return { scenario, end: end.promise };
  });
  return [
    ...sizes.map(({ scenario }) => scenario),
    {
      name: "the comparison of two images",
      needs: Promise.all(sizes.map(({ end }) => end)),
      run: async () => {
        await checks.check("takes no more SRAM for an image of 1.7 MB than of 0.5 MB", () => {
          const [small, large] = [peaks.get("small"), peaks.get("large")];
          assert.ok(small !== undefined && large !== undefined, "one of both was not measured");
          assert.ok(small.heap > 0 && small.stack > 0, "the firmware told nothing of its memory");
          assert.ok(large.heap <= small.heap, `heap: ${large.heap} after ${small.heap} bytes`);
          const apart = large.stack - small.stack;
          assert.ok(apart <= stackJitterBytes, `stack: ${large.stack} after ${small.stack} bytes`);
        });
      },
    },
  ];
}
