import { checkSlotLayout, type LayoutRefusal } from "../../src/image/layout.ts";
import type { TrailerShape } from "../../src/image/trailer.ts";
import { type ImageOptions, writeImage } from "../../src/image/writer.ts";
import { nodeCrypto } from "./node-crypto.ts";

/** The slot that an image is for, under swap-using-move. */
export interface SlotDescription {
  readonly slotBytes: number;
  readonly sectorBytes: number;
  readonly writeBlockBytes: number;
  readonly maxAlignBytes: TrailerShape["maxAlignBytes"];
}

export type FitRefusal = LayoutRefusal | "too-large-for-slot";

export type FitResult =
  | { readonly ok: true; readonly imageBytesMax: number }
  | { readonly ok: false; readonly reason: FitRefusal; readonly message: string };

/**
 * What one signature adds to an image at most: the TLVs of the key's hash and of the DER of r and
 * s.
 */
const signatureBytesMax = 4 + 32 + 4 + 72;

/**
 * Two such slots side by side: could swap-using-move work with them, and with images of what size?
 */
export function checkSlot(slot: SlotDescription): FitResult {
  const checked = checkSlotLayout({
    ...slot,
    primary: { offsetBytes: 0, sizeBytes: slot.slotBytes },
    secondary: { offsetBytes: slot.slotBytes, sizeBytes: slot.slotBytes },
  });
  return checked.ok ? { ok: true, imageBytesMax: checked.layout.imageBytesMax } : checked;
}

/** Does an image of so many bytes, header to end of TLVs, fit the slot? */
export function checkImageFits(imageBytes: number, slot: SlotDescription): FitResult {
  const checked = checkSlot(slot);
  if (!checked.ok || imageBytes <= checked.imageBytesMax) return checked;
  const { imageBytesMax } = checked;
  return {
    ok: false,
    reason: "too-large-for-slot",
    message: `the image has ${imageBytes} bytes, but a slot of ${slot.slotBytes} bytes takes at most ${imageBytesMax} under swap-using-move: ${imageBytes - imageBytesMax} bytes too many`,
  };
}

/** The same before it is signed, with room for one signature. */
export async function checkPayloadFits(
  payload: Uint8Array,
  options: ImageOptions,
  slot: SlotDescription,
): Promise<FitResult> {
  const written = await writeImage(payload, options, nodeCrypto, []);
  const imageBytes = written.ok ? written.image.length : payload.length;
  return checkImageFits(imageBytes + signatureBytesMax, slot);
}
