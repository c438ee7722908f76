import { trailerMagic } from "../../../src/image/trailer.ts";
import type { DeviceLayout } from "../../flash/layout.ts";
import type { NorFlash } from "../../flash/nor-flash.ts";
import { signatureDefect } from "../../power-cuts/checkers/signed-image.ts";

/** BOOT_MAX_ALIGN of the boards that are simulated: what each flag of the trailer takes. */
const maxAlignBytes = 8;
const flagSet = 0x01;

/**
 * Does the primary slot hold exactly this image, signed with this key, and is it confirmed? Read
 * from the bare flash, with nothing of the firmware or the server: this is what the server's count
 * of updated devices is held against.
 */
export function holdsConfirmed(
  flash: NorFlash,
  { primary }: DeviceLayout,
  wanted: { readonly image: Uint8Array; readonly publicPem: string },
): boolean {
  const { image, publicPem } = wanted;
  const stored = flash.peek(primary.offsetBytes, image.length);
  if (Buffer.compare(stored, image) !== 0 || signatureDefect(stored, publicPem) !== null)
    return false;
  // The trailer ends with the magic; image_ok stands before it, copy_done before that
  // (bootutil_public.h).
  const magic = trailerMagic(maxAlignBytes);
  const end = primary.offsetBytes + primary.sizeBytes;
  const [magicAt, imageOkAt] = [end - magic.length, end - magic.length - maxAlignBytes];
  const isSwapped = Buffer.compare(flash.peek(magicAt, magic.length), magic) === 0;
  return isSwapped && flash.peek(imageOkAt, 1)[0] === flagSet;
}
