/**
 * What a firmware with everything on but Wi-Fi's libraries is meant to fit into, and the bounds
 * that it keeps to.
 */
export const sizeLimits = {
  /** 720 KiB, as published: half of what a slot holds. */
  imageBytesTarget: 720 * 1024,
  /**
   * The limit of the reference firmware: 1 % more than the 1,089,600 bytes that it had, so that
   * growth is seen.
   */
  imageBytesMax: 1_100_500,
  /** Code in RAM, static data, heap pool and stacks, of the chip's 301,568 bytes. */
  sramBytesMax: 230_000,
  bootloaderBytesMax: 65_536,
} as const;

/** The region that the linker names for all of the chip's SRAM but the cache. */
export const sramRegion = "dram0_0_seg";

/** Writes a text such as "1,200 of 1,000 bytes: 200 too many". */
export function sizeText(bytes: number, limitBytes: number): string {
  const text = `${grouped(bytes)} of ${grouped(limitBytes)} bytes`;
  return bytes <= limitBytes ? text : `${text}: ${grouped(bytes - limitBytes)} too many`;
}

function grouped(count: number): string {
  return count.toLocaleString("en-US");
}
