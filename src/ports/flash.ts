/**
 * Failure of a flash operation, as the driver reports it; the flash keeps what it held before or a
 * torn part.
 */
export class FlashError extends Error {
  override readonly name = "FlashError";
}

/**
 * One partition of NOR flash: erased in whole sectors to 0xff, written in whole write blocks that
 * can only clear bits. Offsets are bytes from the start of the partition. All operations are
 * synchronous and throw `FlashError`. A power cut leaves the operation under way undone, done, or
 * torn at any byte.
 */
export interface FlashArea {
  readonly sizeBytes: number;
  readonly sectorBytes: number;
  /** Offset and length of every write are multiples of this. */
  readonly writeBlockBytes: number;
  read(offsetBytes: number, into: Uint8Array): void;
  write(offsetBytes: number, bytes: Uint8Array): void;
  /**
   * Erases the sectors that cover [offsetBytes, offsetBytes + lengthBytes); both must be
   * sector-aligned.
   */
  erase(offsetBytes: number, lengthBytes: number): void;
}

/** The partitions that the agent uses, by role. */
export interface FlashPartitions {
  readonly primary: FlashArea;
  readonly secondary: FlashArea;
  /**
   * The page in which the bootloader counts trial boots; absent where the bootloader has no such
   * hook.
   */
  readonly bootctl: FlashArea | null;
  /** Where the bootloader itself lies, to be read only; absent where the board does not tell. */
  readonly bootloader?: Pick<FlashArea, "sizeBytes" | "read">;
  /** Where the slots begin on the chip, in bytes, if the board tells. */
  readonly slotOffsets?: { readonly primary: number; readonly secondary: number };
}
