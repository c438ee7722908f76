import { type TrailerShape, trailerBytes } from "./trailer.ts";

/** The two slots of one flash under swap-using-move. */
export interface SlotLayout {
  readonly sectorBytes: number;
  readonly writeBlockBytes: number;
  readonly maxAlignBytes: TrailerShape["maxAlignBytes"];
  readonly primary: SlotRange;
  readonly secondary: SlotRange;
}

/** Bytes of the flash. */
export interface SlotRange {
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** A layout that swap-using-move can work with. */
export interface CheckedLayout {
  readonly sectors: number;
  readonly trailerSectors: number;
  /** The largest image, header to end of TLVs. */
  readonly imageBytesMax: number;
  readonly shape: TrailerShape;
}

export type LayoutRefusal =
  | "sector-size"
  | "slot-unaligned"
  | "slots-unequal"
  | "slots-overlap"
  | "slot-too-small";

/**
 * Checks a layout and tells the largest image that it can update. MCUboot would also take a primary
 * slot of one sector more; here slots are equal, so that an image that fits one fits the other.
 */
export function checkSlotLayout(
  layout: SlotLayout,
):
  | { readonly ok: true; readonly layout: CheckedLayout }
  | { readonly ok: false; readonly reason: LayoutRefusal; readonly message: string } {
  const { sectorBytes, primary, secondary } = layout;
  if (!isMultiple(sectorBytes, layout.writeBlockBytes) || sectorBytes === 0)
    return refuse(
      "sector-size",
      `a sector of ${sectorBytes} bytes is not a multiple of the ${layout.writeBlockBytes}-byte write block`,
    );
  for (const [name, { offsetBytes, sizeBytes }] of [
    ["primary", primary],
    ["secondary", secondary],
  ] as const)
    if (!isMultiple(offsetBytes, sectorBytes) || !isMultiple(sizeBytes, sectorBytes))
      return refuse(
        "slot-unaligned",
        `the ${name} slot, ${sizeBytes} bytes at ${offsetBytes}, does not lie on whole sectors of ${sectorBytes} bytes`,
      );
  if (primary.sizeBytes !== secondary.sizeBytes)
    return refuse(
      "slots-unequal",
      `the primary slot has ${primary.sizeBytes} bytes, the secondary ${secondary.sizeBytes}: make them equal`,
    );
  if (primary.offsetBytes < end(secondary) && secondary.offsetBytes < end(primary))
    return refuse(
      "slots-overlap",
      `the primary slot, ${primary.offsetBytes} to ${end(primary)}, overlaps the secondary, ${secondary.offsetBytes} to ${end(secondary)}`,
    );
  return checkSize(layout);
}

/**
 * The largest image in a slot of swap-using-move: all sectors but the trailer's and the one that
 * the swap moves through.
 */
export function moveImageBytesMax(slot: {
  readonly slotBytes: number;
  readonly sectorBytes: number;
  readonly shape: TrailerShape;
}): number {
  const trailerSectors = Math.ceil(trailerBytes(slot.shape) / slot.sectorBytes);
  return (Math.floor(slot.slotBytes / slot.sectorBytes) - trailerSectors - 1) * slot.sectorBytes;
}

/**
 * The trailer of a move slot with BOOT_MAX_IMG_SECTORS as Zephyr sets it: the sectors of the slot.
 */
export function moveTrailerShape(slot: {
  readonly slotBytes: number;
  readonly sectorBytes: number;
  readonly writeBlockBytes: number;
  readonly maxAlignBytes: TrailerShape["maxAlignBytes"];
}): TrailerShape {
  return {
    upgradeMode: "swap-using-move",
    maxAlignBytes: slot.maxAlignBytes,
    writeBlockBytes: slot.writeBlockBytes,
    imageSectorsMax: Math.floor(slot.slotBytes / slot.sectorBytes),
  };
}

function checkSize(layout: SlotLayout): ReturnType<typeof checkSlotLayout> {
  const slotBytes = layout.primary.sizeBytes;
  const shape = moveTrailerShape({ ...layout, slotBytes });
  const { sectorBytes } = layout;
  const imageBytesMax = moveImageBytesMax({ slotBytes, sectorBytes, shape });
  const sectors = slotBytes / sectorBytes;
  const trailerSectors = Math.ceil(trailerBytes(shape) / sectorBytes);
  if (imageBytesMax <= 0)
    return refuse(
      "slot-too-small",
      `a slot of ${sectors} sectors has no room for an image: ${trailerSectors} hold the trailer and 1 is moved through`,
    );
  return { ok: true, layout: { sectors, trailerSectors, imageBytesMax, shape } };
}

function refuse(
  reason: LayoutRefusal,
  message: string,
): { ok: false; reason: LayoutRefusal; message: string } {
  return { ok: false, reason, message };
}

function isMultiple(value: number, of: number): boolean {
  return Number.isInteger(value) && value >= 0 && of > 0 && value % of === 0;
}

function end(slot: SlotRange): number {
  return slot.offsetBytes + slot.sizeBytes;
}
