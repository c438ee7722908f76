import {
  type BootloaderRefusal,
  describeBootloader,
  findBootloader,
  refusalOf,
  type UnknownBootloader,
} from "../../src/slots/bootloader.ts";
import {
  type FlashMiB,
  partitionTable,
  type Soc,
  sectorBytes,
  writeBlockBytes,
} from "./partitions.ts";

/** `BOOT_MAX_ALIGN` while flash encryption is off. */
const maxAlignBytes = 8;

/** What a built bootloader says of itself, and why the firmware of a board would refuse every update under it. */
export function readBootloaderFile(
  choice: { readonly soc: Soc; readonly flashMiB: FlashMiB },
  file: Uint8Array,
  unknown: UnknownBootloader = "refuse",
): { readonly text: string; readonly refusal: BootloaderRefusal | null } {
  const { boot, slot0, slot1 } = partitionTable(choice);
  const partition = new Uint8Array(boot.size).fill(0xff);
  partition.set(file.subarray(0, boot.size));
  const finding = findBootloader({
    sizeBytes: boot.size,
    read: (offset, into) => into.set(partition.subarray(offset, offset + into.length)),
  });
  const refusal = refusalOf(finding, unknown, {
    maxAlignBytes,
    flash: {
      primary: { sizeBytes: slot0.size },
      secondary: { sizeBytes: slot1.size, sectorBytes, writeBlockBytes },
      slotOffsets: { primary: slot0.offset, secondary: slot1.offset },
    },
  });
  return { text: describeBootloader(finding), refusal };
}
