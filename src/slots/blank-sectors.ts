import type { FlashArea } from "../ports/flash.ts";

/**
 * Whether a sector reads as erased flash does. `into` is a buffer whose length divides the sector's
 * and is a multiple of 4; what it holds afterwards means nothing. Throws `FlashError`.
 */
export function isBlankSector(area: FlashArea, offsetBytes: number, into: Uint8Array): boolean {
  // Word by word: every sector of a slot is looked at, and a call per byte would hold the main loop
  // for seconds.
  const words = new Uint32Array(into.buffer, into.byteOffset, into.length >> 2);
  for (let done = 0; done < area.sectorBytes; done += into.length) {
    area.read(offsetBytes + done, into);
    for (let index = 0; index < words.length; index += 1)
      if (words[index] !== 0xffff_ffff) return false;
  }
  return true;
}

/** Makes a sector blank, and spares the flash where it is already. Throws `FlashError`. */
export function eraseUnlessBlank(area: FlashArea, offsetBytes: number, buffer: Uint8Array): void {
  if (!isBlankSector(area, offsetBytes, buffer)) area.erase(offsetBytes, area.sectorBytes);
}
