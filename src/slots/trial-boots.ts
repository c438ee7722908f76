import type { FlashArea } from "../ports/flash.ts";

/**
 * The page `bootctl`, in which the bootloader's hook counts the boots of an unconfirmed image
 * (bootloader/hook/trial_boot.c): entries of one write block, spent when not all 0xff; a later one
 * takes the earlier along.
 *
 *   entry 0, 1   the second and the third boot were granted
 *   entry 2      no boot is left, the revert was begun; stays until the next update is requested
 */
export interface SpentBoots {
  /** How many of the two boots beyond the first were granted. */
  readonly extraBoots: number;
  readonly revertBegun: boolean;
}

const extraBootsMax = 2;
/** The hook programs words, however small the write block is. */
const wordBytes = 4;

/** Throws `FlashError`. An entry that is garbage counts as spent, as it does for the hook. */
export function readSpentBoots(page: FlashArea): SpentBoots {
  const entryBytes = Math.max(wordBytes, page.writeBlockBytes);
  const entry = new Uint8Array(entryBytes);
  let used = extraBootsMax + 1;
  for (; used > 0; used -= 1) {
    page.read((used - 1) * entryBytes, entry);
    if (entry.some((byte) => byte !== 0xff)) break;
  }
  return { extraBoots: Math.min(used, extraBootsMax), revertBegun: used > extraBootsMax };
}
