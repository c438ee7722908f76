/**
 * Where the bytes of the file go that travels. Every offset and count here is one of that file,
 * whatever becomes of it: a full image lies in the slot byte for byte (`StagingSlot`), a patch
 * would be decoded on its way. Methods throw `FlashError`; what a power cut leaves `resume` finds.
 */
export interface FileSink {
  /** Bytes of the file that were taken so far. */
  readonly receivedBytes: number;
  /** A start for `rewind` is a multiple of it. */
  readonly rewindBytes: number;
  /**
   * Where the piece ends that `resume` left out because it may be torn; null when there is none.
   */
  readonly suspectEndBytes: number | null;
  /** Finds how much of the file is there after a reset. */
  resume(): void;
  /** Counts the suspect piece after all, for whoever found out in another way that it is whole. */
  keepSuspect(): void;
  /** Gives back memory that holds nothing now; what is appended takes it again. */
  release(): void;
  /** Takes the next bytes; false for more than the file has. */
  append(bytes: Uint8Array): boolean;
  /** Takes everything from there on back. */
  rewind(toBytes: number): void;
  /** Gives bytes of the file again that were taken: a block is hashed from its start. */
  read(offsetBytes: number, into: Uint8Array): void;
}
