import flash, { type Flash } from "embedded:storage/flash";
import board from "sluice/board";
import { type FlashArea, FlashError, type FlashPartitions } from "../ports/flash.ts";

/** The partitions by role, as the board labels them. Throws `FlashError` when one is missing. */
export function openPartitions(): FlashPartitions {
  const { partitions } = board;
  const primary = new Partition(partitions.primary);
  const secondary = new Partition(partitions.secondary);
  const bootctl = partitions.bootctl === undefined ? null : new Partition(partitions.bootctl);
  const bootloader =
    partitions.bootloader === undefined
      ? {}
      : { bootloader: new Partition(partitions.bootloader, "r") };
  const slots = { primary, secondary, bootctl, ...bootloader };
  const offsets = { primary: primary.chipOffset, secondary: secondary.chipOffset };
  return offsets.primary === undefined || offsets.secondary === undefined
    ? slots
    : { ...slots, slotOffsets: { primary: offsets.primary, secondary: offsets.secondary } };
}

type BoardFlashStatus = ReturnType<Flash["status"]> & {
  /**
   * The partition's place on the chip: an addition of our boards, by which overlapping slots are
   * seen.
   */
  readonly offset?: number;
};

/** One partition through ECMA-419 flash; drivers throw what they like, this throws `FlashError`. */
class Partition implements FlashArea {
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly writeBlockBytes: number;
  readonly chipOffset: number | undefined;
  readonly #label: string;
  readonly #flash: Flash;

  constructor(label: string, mode: "r" | "r+" = "r+") {
    this.#label = label;
    this.#flash = this.#attempt("open", () => flash.open({ path: label, mode }));
    const status: BoardFlashStatus = this.#flash.status();
    this.sizeBytes = status.size;
    this.sectorBytes = status.blockLength;
    this.writeBlockBytes = status.writeAlign;
    this.chipOffset = status.offset;
  }

  read(offsetBytes: number, into: Uint8Array): void {
    this.#attempt("read", () => this.#flash.read(into, offsetBytes));
  }

  write(offsetBytes: number, bytes: Uint8Array): void {
    this.#attempt("write", () => this.#flash.write(bytes, offsetBytes));
  }

  erase(offsetBytes: number, lengthBytes: number): void {
    const first = offsetBytes / this.sectorBytes;
    this.#attempt("erase", () =>
      this.#flash.eraseBlock(first, first + lengthBytes / this.sectorBytes),
    );
  }

  #attempt<T>(operation: string, run: () => T): T {
    try {
      return run();
    } catch (error) {
      throw new FlashError(`${operation} on ${this.#label}: ${String(error)}`);
    }
  }
}
