import { type ImageInfo, readImageInfo } from "../image/info.ts";
import { checkSlotLayout, moveImageBytesMax, moveTrailerShape } from "../image/layout.ts";
import {
  confirmWrites,
  permanentRequestWrites,
  readTrailer,
  type SlotTrailer,
  type TrailerPlace,
  type TrailerWrite,
  testRequestWrites,
  trailerBytes,
} from "../image/trailer.ts";
import { type FlashArea, FlashError, type FlashPartitions } from "../ports/flash.ts";
import { type DigestHex, parseDigestHex } from "../protocol/digest.ts";
import {
  type BootloaderFinding,
  type BootloaderRefusal,
  describeBootloader,
  findBootloader,
  refusalOf,
  type UnknownBootloader,
} from "./bootloader.ts";
import { readSpentBoots } from "./trial-boots.ts";

/** What the slots say, read anew from flash. */
export interface SlotFacts {
  readonly image: ImageInfo;
  readonly version: string;
  readonly imageHash: DigestHex;
  /**
   * False during a trial: the bootloader will bring the old image back unless this one confirms
   * itself.
   */
  readonly confirmed: boolean;
  /** Null when it cannot be read: the device then runs on, and nothing is concluded from it. */
  readonly secondary: SecondaryFacts | null;
}

export interface SecondaryFacts {
  /** A request for a swap was begun, and no swap has erased it since. */
  readonly prepared: boolean;
  /** The hash that the TLVs of its image name, or null without a readable image. */
  readonly imageHash: DigestHex | null;
  /** Null without a readable image, and when it has none. */
  readonly securityCounter: number | null;
}

/**
 * What the primary trailer says of the image's confirmation. `none`: nothing was swapped in, so
 * none was asked for. `torn`: a cut fell into its write; see
 * `docs/decisions/torn-confirmation-counts.md`.
 */
export type Confirmation = "none" | "awaited" | "given" | "torn" | "unreadable";

export type RequestResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: "flash-error" };

/** The two slots and what application and bootloader write into their trailers. */
export class Slots {
  readonly #flash: FlashPartitions;
  readonly #place: TrailerPlace;
  /** Header to end of TLVs of the largest image that swap-using-move can take. */
  readonly imageBytesMax: number;
  readonly trailerBytes: number;
  /**
   * Why the bootloader could never swap these slots, with the numbers; null for slots that it can.
   */
  readonly defect: string | null;
  readonly #maxAlignBytes: 8 | 32;
  readonly #unknownBootloader: UnknownBootloader;
  #bootloader: BootloaderFinding | null = null;

  constructor(flash: FlashPartitions, unknownBootloader: UnknownBootloader = "refuse") {
    const { sizeBytes: slotBytes, sectorBytes, writeBlockBytes } = flash.secondary;
    // An ESP32 with flash encryption writes 32-byte blocks and aligns the trailer to them; without
    // it MCUboot uses 8.
    const maxAlignBytes = writeBlockBytes > 8 ? 32 : 8;
    const shape = moveTrailerShape({ slotBytes, sectorBytes, writeBlockBytes, maxAlignBytes });
    this.#flash = flash;
    this.#place = { shape, slotBytes };
    this.#maxAlignBytes = maxAlignBytes;
    this.#unknownBootloader = unknownBootloader;
    this.imageBytesMax = moveImageBytesMax({ slotBytes, sectorBytes, shape });
    this.trailerBytes = trailerBytes(shape);
    this.defect = slotDefect(flash, maxAlignBytes);
  }

  /** What the bootloader under this firmware says of itself. Looked for once. */
  get bootloader(): BootloaderFinding {
    this.#bootloader ??= findBootloader(this.#flash.bootloader);
    return this.#bootloader;
  }

  /** What the server is told of it, in a line. */
  get bootloaderText(): string {
    return describeBootloader(this.bootloader);
  }

  /** Why nothing may be installed under this bootloader; null for one that works as this does. */
  get bootloaderRefusal(): BootloaderRefusal | null {
    return refusalOf(this.bootloader, this.#unknownBootloader, {
      maxAlignBytes: this.#maxAlignBytes,
      flash: this.#flash,
    });
  }

  /**
   * The how manyth boot of its trial this is, from 1 on; null when the image is confirmed, when the
   * bootloader does not count, and when its page cannot be read.
   */
  trialBoot(): number | null {
    const { primary, bootctl } = this.#flash;
    if (bootctl === null) return null;
    try {
      if (!isTrial(readTrailer(primary, this.#place.shape))) return null;
      return readSpentBoots(bootctl).extraBoots + 1;
    } catch (error) {
      if (!(error instanceof FlashError)) throw error;
      return null;
    }
  }

  confirmation(): Confirmation {
    try {
      const trailer = readTrailer(this.#flash.primary, this.#place.shape);
      if (isTrial(trailer)) return "awaited";
      if (trailer.magic !== "good" || trailer.imageOk === "unset") return "none";
      return trailer.imageOk === "bad" ? "torn" : "given";
    } catch (error) {
      if (!(error instanceof FlashError)) throw error;
      return "unreadable";
    }
  }

  /**
   * Null when the primary slot holds no readable image. Throws `FlashError` when it cannot be read
   * at all.
   */
  facts(): SlotFacts | null {
    const { primary } = this.#flash;
    const read = readImageInfo(primary);
    const imageHash = parseDigestHex(read.ok ? read.info.imageHash : null);
    if (!read.ok || imageHash === null) return null;
    return {
      image: read.info,
      version: read.info.version,
      imageHash,
      confirmed: !isTrial(readTrailer(primary, this.#place.shape)),
      secondary: this.secondaryFacts(),
    };
  }

  /** Null when the secondary slot cannot be read. */
  secondaryFacts(): SecondaryFacts | null {
    const { secondary } = this.#flash;
    try {
      const stored = readImageInfo(secondary);
      return {
        prepared: this.#isPrepared(),
        imageHash: parseDigestHex(stored.ok ? stored.info.imageHash : null),
        securityCounter: stored.ok ? stored.info.securityCounter : null,
      };
    } catch (error) {
      if (!(error instanceof FlashError)) throw error;
      return null;
    }
  }

  /**
   * First half of a request to try the image in the secondary slot: the trailer then names the
   * swap, which asks for nothing yet. A torn earlier request is erased first. Safe to repeat after
   * a power cut.
   */
  prepareSwap(): RequestResult {
    const { secondary } = this.#flash;
    try {
      if (readTrailer(secondary, this.#place.shape).magic === "bad") this.#eraseTrailer(secondary);
      const { swapType } = testRequestWrites(this.#place);
      if (!this.#isPrepared()) writeAll(secondary, [swapType]);
      return this.#isPrepared() ? { ok: true } : { ok: false, reason: "flash-error" };
    } catch (error) {
      if (!(error instanceof FlashError)) throw error;
      return { ok: false, reason: "flash-error" };
    }
  }

  /**
   * Second half: the magic. From here on the bootloader will swap at the next reset. A power cut
   * leaves a prepared request, with its magic whole, torn or missing; a swap erases all of it.
   */
  requestSwap(): RequestResult {
    const { secondary } = this.#flash;
    try {
      const { magic } = readTrailer(secondary, this.#place.shape);
      if (magic === "bad") return { ok: false, reason: "flash-error" };
      if (magic === "unset") writeAll(secondary, [testRequestWrites(this.#place).magic]);
      const pending = readTrailer(secondary, this.#place.shape).magic === "good";
      return pending ? { ok: true } : { ok: false, reason: "flash-error" };
    } catch (error) {
      if (!(error instanceof FlashError)) throw error;
      return { ok: false, reason: "flash-error" };
    }
  }

  /**
   * Asks for the image in the secondary slot for good (`boot_set_pending` with `permanent`): the
   * swap back of a late rollback. The magic goes last: a power cut before it leaves no request, and
   * the same call again completes it.
   */
  requestRollback(): RequestResult {
    const { secondary } = this.#flash;
    try {
      if (this.#isForGood()) return { ok: true };
      // What an earlier request left, whole or torn, would not say what this one does.
      this.#eraseTrailer(secondary);
      writeAll(secondary, permanentRequestWrites(this.#place));
      return this.#isForGood() ? { ok: true } : { ok: false, reason: "flash-error" };
    } catch (error) {
      if (!(error instanceof FlashError)) throw error;
      return { ok: false, reason: "flash-error" };
    }
  }

  /**
   * Marks the running image as good (`boot_set_confirmed`). Answers whether it now counts as
   * confirmed; a flag torn by a power cut does, because neither MCUboot nor our hook reverts such
   * an image.
   */
  confirm(): boolean {
    const { primary } = this.#flash;
    try {
      const plan = confirmWrites(readTrailer(primary, this.#place.shape), this.#place);
      if (plan.ok) writeAll(primary, plan.writes);
      return !isTrial(readTrailer(primary, this.#place.shape));
    } catch (error) {
      if (!(error instanceof FlashError)) throw error;
      return false;
    }
  }

  #isPrepared(): boolean {
    return readTrailer(this.#flash.secondary, this.#place.shape).swapType === "test";
  }

  #isForGood(): boolean {
    const { magic, swapType, imageOk } = readTrailer(this.#flash.secondary, this.#place.shape);
    return magic === "good" && swapType === "permanent" && imageOk === "set";
  }

  #eraseTrailer(area: FlashArea): void {
    const sectors = Math.ceil(this.trailerBytes / area.sectorBytes);
    const lengthBytes = sectors * area.sectorBytes;
    area.erase(area.sizeBytes - lengthBytes, lengthBytes);
  }
}

function slotDefect(
  { primary, secondary, slotOffsets }: FlashPartitions,
  maxAlignBytes: 8 | 32,
): string | null {
  const { sectorBytes, writeBlockBytes } = secondary;
  if (primary.sectorBytes !== sectorBytes)
    return `the primary slot has sectors of ${primary.sectorBytes} bytes, the secondary of ${sectorBytes}`;
  // Side by side where the board does not tell: sizes are then all that can be checked.
  const offsets = slotOffsets ?? { primary: 0, secondary: primary.sizeBytes };
  const checked = checkSlotLayout({
    sectorBytes,
    writeBlockBytes,
    maxAlignBytes,
    primary: { offsetBytes: offsets.primary, sizeBytes: primary.sizeBytes },
    secondary: { offsetBytes: offsets.secondary, sizeBytes: secondary.sizeBytes },
  });
  return checked.ok ? null : checked.message;
}

/**
 * Swapped in and not confirmed: the state that the bootloader reverts. A torn `copy_done` counts as
 * set and a torn `image_ok` as set, as in our trial-boot hook.
 */
function isTrial(primary: SlotTrailer): boolean {
  return primary.magic === "good" && primary.copyDone !== "unset" && primary.imageOk === "unset";
}

function writeAll(area: FlashArea, writes: readonly TrailerWrite[]): void {
  for (const write of writes) area.write(write.offsetBytes, write.bytes);
}
