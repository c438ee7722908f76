import { join } from "node:path";
import { BoardDevice, type BoardParts } from "./board-device.ts";
import { signed } from "./board-image.ts";

/** The two ends of the comparison: files of these sizes, in bytes. */
export const comparedImageBytes = { small: 500_000, large: 1_700_000 } as const;

/**
 * Bytes at the worst moment from power-on to the restart into the new image, as the firmware tells
 * them.
 */
export interface MemoryPeaks {
  /** XS: of the room that it has for each. */
  readonly slots: number;
  readonly chunks: number;
  /** Zephyr's heaps, in which the room of XS is. */
  readonly heap: number;
  /** The stack of the thread of XS. */
  readonly stack: number;
}

const phaseMs = 600_000;

/**
 * Has a chip download, verify and activate an image of a size, and answers what memory that took.
 * The image is the running one, cut off or padded: it is signed like any other, and never started.
 */
export async function peaksForImage(
  parts: BoardParts,
  options: { readonly directory: string; readonly payload: Uint8Array; readonly bytes: number },
): Promise<MemoryPeaks> {
  const { directory, payload, bytes } = options;
  const image = await signed("1.0.0", payload, parts.keys);
  const sized = new Uint8Array(bytes).fill(0xa5);
  sized.set(payload.subarray(0, bytes));
  const next = await signed("1.1.0", sized, parts.keys);
  const one = await BoardDevice.start({ parts, directory: join(directory, String(bytes)), image });
  try {
    await one.offer("1.1.0", next);
    const chip = await one.powerOn();
    await chip.waitFor(/^info: \w+ -> activating /, { timeoutMs: phaseMs });
    const fromLine = chip.lines.length - 1;
    await chip.waitFor(/ESP-ROM:/, { timeoutMs: phaseMs, fromLine });
    if (one.crashes.length > 0) throw new Error(`the firmware crashed: ${one.crashes.join(", ")}`);
    const { slots = 0, chunks = 0, heap = 0, stack = 0 } = one.memory;
    return { slots, chunks, heap, stack };
  } finally {
    await one.close();
  }
}
