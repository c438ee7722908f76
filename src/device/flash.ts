import flash, { type Flash } from "embedded:storage/flash";
import board from "sluice/board";
import { type FlashArea, FlashError, type FlashPartitions } from "../ports/flash.ts";

/** The partitions by role, as the board labels them. Throws `FlashError` when one is missing. */
export function openPartitions(): FlashPartitions {
  const { primary, secondary, bootControl } = board.partitions;
  return {
    primary: new Partition(primary),
    secondary: new Partition(secondary),
    bootControl: bootControl === undefined ? null : new Partition(bootControl),
  };
}

/** One partition through ECMA-419 flash; drivers throw what they like, this throws `FlashError`. */
class Partition implements FlashArea {
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  readonly writeBlockBytes: number;
  readonly #label: string;
  readonly #flash: Flash;

  constructor(label: string) {
    this.#label = label;
    this.#flash = this.#attempt("open", () => flash.open({ path: label, mode: "r+" }));
    const status = this.#flash.status();
    this.sizeBytes = status.size;
    this.sectorBytes = status.blockLength;
    this.writeBlockBytes = status.writeAlign;
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
