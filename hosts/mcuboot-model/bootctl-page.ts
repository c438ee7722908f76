import { type BootArea, isErased } from "./boot-area.ts";

/** Boots of an unconfirmed image beyond the one that the swap itself ends in. */
export const extraBoots = 2;
/** One entry per extra boot, and one that says that none is left and the revert was begun. */
const entries = extraBoots + 1;

/**
 * The flash page in which trial boots are counted, one entry per write block (4 bytes, more with
 * flash encryption). An entry is spent when it is not all 0xff; a spent entry takes the earlier
 * ones along. The page can only take boots away: garbage in it costs boots and nothing else.
 *
 * | entry | spent means                                      |
 * | ----- | ------------------------------------------------ |
 * | 0     | the unconfirmed image had its second boot         |
 * | 1     | ... its third                                     |
 * | 2     | no boot is left, the revert was begun             |
 */
export class BootctlPage {
  readonly #area: BootArea;

  constructor(area: BootArea) {
    this.#area = area;
  }

  isSpent(entry: number): boolean {
    const block = new Uint8Array(this.#area.writeBlockBytes);
    this.#area.read(entry * block.length, block);
    return !isErased(block);
  }

  spend(entry: number): void {
    const block = new Uint8Array(this.#area.writeBlockBytes);
    this.#area.write(entry * block.length, block);
  }

  /** Spends one extra boot; false when none is left. */
  spendBoot(): boolean {
    let used = entries;
    while (used > 0 && !this.isSpent(used - 1)) used--;
    if (used >= extraBoots) return false;
    this.spend(used);
    return true;
  }

  spendEverything(): void {
    for (let entry = 0; entry < entries; entry++) if (!this.isSpent(entry)) this.spend(entry);
  }

  /** A fresh budget; a page that is blank is not worn by another erase. */
  refresh(): void {
    const page = new Uint8Array(this.#area.sizeBytes);
    this.#area.read(0, page);
    if (!isErased(page)) this.#area.erase(0, page.length);
  }
}
