import {
  blockWrite,
  magicWrite,
  readTrailer,
  statusEntries,
  type TrailerFlag,
  type TrailerMagic,
  type TrailerOffsets,
  type TrailerPlace,
  type TrailerShape,
  type TrailerWrite,
  trailerBytes,
  trailerOffsets,
} from "../../src/image/trailer.ts";
import type { BootArea } from "./boot-area.ts";

/** BOOT_SWAP_TYPE_*; `unknown` is a value of the field that names none of them. */
export type SwapType = "none" | "test" | "perm" | "revert" | "fail" | "panic" | "unknown";

/** struct boot_swap_state. */
export interface SwapState {
  readonly magic: TrailerMagic;
  readonly swapType: SwapType;
  readonly imageNumber: number;
  readonly copyDone: TrailerFlag;
  readonly imageOk: TrailerFlag;
}

/** The trailer of one area with the reads and writes of bootutil, each write one operation. */
export class Trailer {
  readonly area: BootArea;
  readonly place: TrailerPlace;
  readonly offsets: TrailerOffsets;
  readonly statusEntries: number;
  readonly sizeBytes: number;

  constructor(area: BootArea, shape: TrailerShape) {
    this.area = area;
    this.place = { shape, slotBytes: area.sizeBytes };
    this.offsets = trailerOffsets(this.place);
    this.statusEntries = statusEntries(shape);
    this.sizeBytes = trailerBytes(shape);
  }

  /** boot_read_swap_state. */
  readState(): SwapState {
    const trailer = readTrailer(this.area, this.place.shape);
    const info = this.#byte(this.offsets.swapInfo);
    const isNamed = info !== 0xff && (info & 0x0f) <= 4;
    return {
      magic: trailer.magic,
      swapType: isNamed ? swapTypeOfNibble(info & 0x0f) : "none",
      imageNumber: trailer.imageIndex,
      copyDone: trailer.copyDone,
      imageOk: trailer.imageOk,
    };
  }

  readMagic(): TrailerMagic {
    return readTrailer(this.area, this.place.shape).magic;
  }

  /**
   * The type of the swap in progress as swap_read_status takes it: any value of the field, `none`
   * when erased.
   */
  readSwapInfoType(): SwapType {
    const info = this.#byte(this.offsets.swapInfo);
    return info === 0xff ? "none" : swapTypeOfNibble(info & 0x0f);
  }

  readSwapSize(): number {
    return this.#word(this.offsets.swapSize);
  }

  /** Swap using offset: bytes of the unprotected TLVs of both images when the swap started. */
  readTlvSizes(): readonly [primary: number, secondary: number] {
    const word = this.#word(this.#tlvSizes);
    return [word & 0xffff, word >>> 16];
  }

  /** For each status entry whether it is written: its first byte is not erased. */
  readStatus(): boolean[] {
    const { writeBlockBytes } = this.place.shape;
    const bytes = new Uint8Array(this.statusEntries * writeBlockBytes);
    this.area.read(this.offsets.status, bytes);
    return Array.from(
      { length: this.statusEntries },
      (_, index) => bytes[index * writeBlockBytes] !== 0xff,
    );
  }

  statusOffset(index: number): number {
    return this.offsets.status + index * this.place.shape.writeBlockBytes;
  }

  writeMagic(): void {
    this.write(magicWrite(this.place));
  }

  writeImageOk(): void {
    this.#writeField(this.offsets.imageOk, [1]);
  }

  writeCopyDone(): void {
    this.#writeField(this.offsets.copyDone, [1]);
  }

  writeSwapInfo(type: SwapType): void {
    this.#writeField(this.offsets.swapInfo, [nibbleOfSwapType(type)]);
  }

  writeSwapSize(bytes: number): void {
    this.#writeField(this.offsets.swapSize, littleEndian(bytes));
  }

  writeTlvSizes(primary: number, secondary: number): void {
    this.#writeField(this.#tlvSizes, littleEndian(primary + secondary * 0x10000));
  }

  writeStatusEntry(index: number, state: number): void {
    this.#writeField(this.statusOffset(index), [state]);
  }

  write(write: TrailerWrite): void {
    this.area.write(write.offsetBytes, write.bytes);
  }

  get #tlvSizes(): number {
    if (this.offsets.tlvSizes === null) throw new TypeError("only swap using offset has TLV sizes");
    return this.offsets.tlvSizes;
  }

  #writeField(offset: number, value: readonly number[]): void {
    this.write(blockWrite(this.place, offset, value));
  }

  #byte(offset: number): number {
    const bytes = new Uint8Array(1);
    this.area.read(offset, bytes);
    return bytes[0]!;
  }

  #word(offset: number): number {
    const bytes = new Uint8Array(4);
    this.area.read(offset, bytes);
    return new DataView(bytes.buffer).getUint32(0, true);
  }
}

const typesByNibble: readonly SwapType[] = ["unknown", "none", "test", "perm", "revert", "fail"];

function swapTypeOfNibble(nibble: number): SwapType {
  return typesByNibble[nibble] ?? "unknown";
}

function nibbleOfSwapType(type: SwapType): number {
  return Math.max(0, typesByNibble.indexOf(type));
}

function littleEndian(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, (value >>> 24) & 0xff];
}
