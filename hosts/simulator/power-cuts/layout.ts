import { moveTrailerShape } from "../../../src/image/layout.ts";
import { trailerBytes } from "../../../src/image/trailer.ts";
import type { LayoutName } from "../../esp32/simulator-layout.ts";
import { sectorBytes } from "../flash/geometry.ts";
import { type DeviceLayout, type Extent, parseDeviceLayout } from "../layout.ts";
import { deviceLayout } from "../layouts.ts";

export const proofLayoutNames = ["small", "esp32-4m"] as const satisfies (LayoutName | "small")[];
export type ProofLayoutName = (typeof proofLayoutNames)[number];

/** A small layout must stay small: every sector of it is swapped in every run. */
const slotSectorsMax = 64;
/** The least in which key-value data moves round and old sectors are collected during an update. */
const storageSectors = 3;

/** `small`: equal slots for images of that size and what swap using move needs, then `bootctl` and the storage. */
export function proofLayout(name: ProofLayoutName, imageBytes: number): DeviceLayout {
  if (name !== "small") return deviceLayout(name);
  const slotBytes = slotSectorsFor(imageBytes) * sectorBytes;
  const bootctl = 2 * slotBytes;
  const storage = bootctl + sectorBytes;
  const sizes = {
    primary: { offset: 0, size: slotBytes },
    secondary: { offset: slotBytes, size: slotBytes },
    bootctl: { offset: bootctl, size: sectorBytes },
    storage: { offset: storage, size: storageSectors * sectorBytes },
  };
  const flash_size = storage + storageSectors * sectorBytes;
  const parsed = parseDeviceLayout({ flash_size, sector_size: sectorBytes, ...sizes });
  if (!parsed.ok) throw new Error(`layout small: ${parsed.message}`);
  return parsed.layout;
}

/** The form of an entry of layouts.json, which `sluice simulate --layout` reads as well. */
export function encodeLayout(layout: DeviceLayout): object {
  const slot = ({ offset, size }: Extent) => ({ offset, size, sectors: size / sectorBytes });
  const area = ({ offset, size }: Extent) => ({ offset, size });
  return {
    flash_size: layout.flashBytes,
    sector_size: sectorBytes,
    primary: slot(layout.primary),
    secondary: slot(layout.secondary),
    storage: area(layout.storage),
    bootctl: area(layout.bootctl),
  };
}

/** Sectors of the image, of the trailer (which grows with the slot), and the one that the swap moves through. */
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
