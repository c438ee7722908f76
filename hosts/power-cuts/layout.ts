import { moveTrailerShape } from "../../src/image/layout.ts";
import { trailerBytes } from "../../src/image/trailer.ts";
import { deviceLayout, type LayoutName } from "../flash/board-layout.ts";
import { sectorBytes } from "../flash/geometry.ts";
import { type DeviceLayout, encodeLayout, parseDeviceLayout, slotExtent } from "../flash/layout.ts";

export const proofLayoutNames = ["small", "esp32-4m"] as const satisfies (LayoutName | "small")[];
export type ProofLayoutName = (typeof proofLayoutNames)[number];

/** A small layout must stay small: every sector of it is swapped in every run. */
const slotSectorsMax = 64;
/** The least in which key-value data moves round and old sectors are collected during an update. */
const storageSectors = 3;

/**
 * `small`: equal slots for images of that size and what swap using move needs, then `bootctl` and
 * the storage.
 */
export function proofLayout(name: ProofLayoutName, imageBytes: number): DeviceLayout {
  if (name !== "small") return deviceLayout(name);
  const slotBytes = slotSectorsFor(imageBytes) * sectorBytes;
  const bootctl = { offsetBytes: 2 * slotBytes, sizeBytes: sectorBytes };
  const storage = {
    offsetBytes: bootctl.offsetBytes + sectorBytes,
    sizeBytes: storageSectors * sectorBytes,
  };
  const layout: DeviceLayout = {
    flashBytes: storage.offsetBytes + storage.sizeBytes,
    primary: slotExtent({ offsetBytes: 0, sizeBytes: slotBytes }),
    secondary: slotExtent({ offsetBytes: slotBytes, sizeBytes: slotBytes }),
    scratch: null,
    bootctl,
    storage,
    boot: null,
  };
  const checked = parseDeviceLayout(encodeLayout(layout));
  if (!checked.ok) throw new Error(`layout small: ${checked.message}`);
  return checked.layout;
}

/**
 * Sectors of the image, of the trailer (which grows with the slot), and the one that the swap moves
 * through.
 */
function slotSectorsFor(imageBytes: number): number {
  const imageSectors = Math.ceil(imageBytes / sectorBytes);
  for (let sectors = imageSectors + 2; sectors <= slotSectorsMax; sectors += 1)
    if (imageSectors + trailerSectors(sectors) + 1 <= sectors) return sectors;
  throw new Error(
    `layout small: an image of ${imageBytes} bytes needs slots of more than ${slotSectorsMax} sectors; use --layout esp32-4m`,
  );
}

export function trailerSectors(slotSectors: number): number {
  const shape = moveTrailerShape({
    slotBytes: slotSectors * sectorBytes,
    sectorBytes,
    writeBlockBytes: 4,
    maxAlignBytes: 8,
  });
  return Math.ceil(trailerBytes(shape) / sectorBytes);
}
