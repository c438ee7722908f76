import type { Hasher } from "../../src/ports/crypto.ts";

/** Counts the hashers that are open: a device has room for a few. */
export class OpenHashers {
  open = 0;
  /** How many were opened in all. */
  opened = 0;

  /** The same crypto, whose hashers are counted. */
  of<C extends { sha256(): Hasher }>(crypto: C): C {
    return { ...crypto, sha256: () => this.counted(crypto.sha256()) };
  }

  counted<H extends Hasher>(hasher: H): Hasher {
    let isOpen = true;
    this.open += 1;
    this.opened += 1;
    const end = (): void => {
      if (isOpen) this.open -= 1;
      isOpen = false;
    };
    return {
      update: (bytes) => hasher.update(bytes),
      digest: () => {
        end();
        return hasher.digest();
      },
      close: end,
    };
  }
}
