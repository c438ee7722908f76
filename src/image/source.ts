/**
 * Random access to the bytes of an image: a slot of flash, a file, or bytes in memory. A
 * `FlashArea` is one as it stands; the bytes after the image in a slot are whatever the flash
 * holds.
 */
export interface ImageSource {
  readonly sizeBytes: number;
  /**
   * Fills `into` whole from `offsetBytes`; throws when the range leaves the source or the medium
   * fails.
   */
  read(offsetBytes: number, into: Uint8Array): void;
}

/** An image in memory. */
export function bytesSource(bytes: Uint8Array): ImageSource {
  return {
    sizeBytes: bytes.length,
    read(offsetBytes, into) {
      if (offsetBytes < 0 || offsetBytes + into.length > bytes.length)
        throw new RangeError(
          `read of ${into.length} bytes at ${offsetBytes} leaves a source of ${bytes.length} bytes`,
        );
      into.set(bytes.subarray(offsetBytes, offsetBytes + into.length));
    },
  };
}
