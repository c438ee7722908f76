import {
  type BootloaderRefusal,
  describeBootloader,
  findBootloader,
  refusalOf,
  type UnknownBootloader,
} from "../../src/slots/bootloader.ts";
import { sectorBytes } from "../flash/geometry.ts";
import { type FlashMiB, partitionTable, type Soc, writeBlockBytes } from "../flash/partitions.ts";

/** `BOOT_MAX_ALIGN` while flash encryption is off. */
const maxAlignBytes = 8;

/**
 * What a built bootloader says of itself, and why the firmware of a board would refuse every update
 * under it.
 */
export function readBootloaderFile(
  choice: { readonly soc: Soc; readonly flashMiB: FlashMiB },
  file: Uint8Array,
  unknown: UnknownBootloader = "refuse",
): { readonly text: string; readonly refusal: BootloaderRefusal | null } {
  const { boot, slot0, slot1 } = partitionTable(choice);
  const partition = new Uint8Array(boot.sizeBytes).fill(0xff);
  partition.set(file.subarray(0, boot.sizeBytes));
  const finding = findBootloader({
    sizeBytes: boot.sizeBytes,
    read: (offset, into) => into.set(partition.subarray(offset, offset + into.length)),
  });
  const refusal = refusalOf(finding, unknown, {
    maxAlignBytes,
    flash: {
      primary: { sizeBytes: slot0.sizeBytes },
      secondary: { sizeBytes: slot1.sizeBytes, sectorBytes, writeBlockBytes },
      slotOffsets: { primary: slot0.offsetBytes, secondary: slot1.offsetBytes },
    },
  });
  return { text: describeBootloader(finding), refusal };
}
