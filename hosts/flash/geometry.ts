/** Every ESP32 chip erases in sectors of this size. */
export const sectorBytes = 4096;

/** 4 on an ESP32, 32 with flash encryption, 1 on Zephyr's simulated flash. */
export type WriteBlockBytes = 1 | 4 | 8 | 16 | 32;

export interface NorGeometry {
  readonly sizeBytes: number;
  readonly writeBlockBytes: WriteBlockBytes;
}
