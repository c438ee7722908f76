import { type ImageInfo, readImageInfo } from "../image/info.ts";
import { moveImageBytesMax, moveTrailerShape } from "../image/layout.ts";
import {
  confirmWrites,
  readTrailer,
  type SlotTrailer,
  type TrailerPlace,
  type TrailerWrite,
  trailerBytes,
  upgradeRequestWrites,
} from "../image/trailer.ts";
import { type FlashArea, FlashError, type FlashPartitions } from "../ports/flash.ts";
import { type DigestHex, parseDigestHex } from "../protocol/digest.ts";

/** What the slots say, read anew from flash. */
export interface SlotFacts {
  readonly image: ImageInfo;
  readonly version: string;
  readonly imageHash: DigestHex;
  /** False during a trial: the bootloader will bring the old image back unless this one confirms itself. */
  readonly confirmed: boolean;
  /** Null when it cannot be read: the device then runs on, and nothing is concluded from it. */
  readonly secondary: SecondaryFacts | null;
}

export interface SecondaryFacts {
  /** A swap is requested. */
  readonly pending: boolean;
  /** The hash that the TLVs of its image name, or null without a readable image. */
  readonly imageHash: DigestHex | null;
}

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

  constructor(flash: FlashPartitions) {
    const { sizeBytes: slotBytes, sectorBytes, writeBlockBytes } = flash.secondary;
    // An ESP32 with flash encryption writes 32-byte blocks and aligns the trailer to them; without it MCUboot uses 8.
    const maxAlignBytes = writeBlockBytes > 8 ? 32 : 8;
    const shape = moveTrailerShape({ slotBytes, sectorBytes, writeBlockBytes, maxAlignBytes });
    this.#flash = flash;
    this.#place = { shape, slotBytes };
    this.imageBytesMax = moveImageBytesMax({ slotBytes, sectorBytes, shape });
    this.trailerBytes = trailerBytes(shape);
  }

  /** Null when the primary slot holds no readable image. Throws `FlashError` when it cannot be read at all. */
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
        pending: readTrailer(secondary, this.#place.shape).magic === "good",
        imageHash: parseDigestHex(stored.ok ? stored.info.imageHash : null),
      };
    } catch (error) {
      if (!(error instanceof FlashError)) throw error;
      return null;
    }
  }

  /**
   * Asks the bootloader to try the image in the secondary slot (`boot_set_pending(0)`). A torn earlier request is erased
   * first. A power cut leaves no request, a torn one, or the whole one; asking again is safe in every case.
   */
  requestUpgrade(): RequestResult {
    const { secondary } = this.#flash;
    try {
      let trailer = readTrailer(secondary, this.#place.shape);
      if (trailer.magic === "bad") {
        this.#eraseTrailer(secondary);
        trailer = readTrailer(secondary, this.#place.shape);
      }
      const plan = upgradeRequestWrites(trailer, this.#place, "test");
      if (!plan.ok) return { ok: false, reason: "flash-error" };
      writeAll(secondary, plan.writes);
      const pending = readTrailer(secondary, this.#place.shape).magic === "good";
      return pending ? { ok: true } : { ok: false, reason: "flash-error" };
    } catch (error) {
      if (!(error instanceof FlashError)) throw error;
      return { ok: false, reason: "flash-error" };
    }
  }

  /**
   * Marks the running image as good (`boot_set_confirmed`). Answers whether it now counts as confirmed; a flag torn by a
   * power cut does, because neither MCUboot nor our hook reverts such an image.
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

  #eraseTrailer(area: FlashArea): void {
    const sectors = Math.ceil(this.trailerBytes / area.sectorBytes);
    const lengthBytes = sectors * area.sectorBytes;
    area.erase(area.sizeBytes - lengthBytes, lengthBytes);
  }
}

/**
 * Swapped in and not confirmed: the state that the bootloader reverts. A torn `copy_done` counts as set and a torn
 * `image_ok` as set, as in our trial-boot hook.
 */
function isTrial(primary: SlotTrailer): boolean {
  return primary.magic === "good" && primary.copyDone !== "unset" && primary.imageOk === "unset";
}

function writeAll(area: FlashArea, writes: readonly TrailerWrite[]): void {
  for (const write of writes) area.write(write.offsetBytes, write.bytes);
}
