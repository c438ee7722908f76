import { StorageError } from "../../src/ports/board.ts";
import { NorFlash } from "../flash/nor-flash.ts";
import {
  type FlashMiB,
  type PartitionTable,
  partitionTable,
  type Soc,
  writeBlockBytes,
} from "../flash/partitions.ts";
import type { BoardStorage } from "../simulator/board/board-host.ts";
import { type Enrolment, EnrolmentError, enroll } from "../simulator/enrolment.ts";
import { mountBoardStorage } from "../simulator/storage/board-storage.ts";

export type FlashImageResult =
  | { readonly ok: true; readonly flash: Uint8Array }
  | { readonly ok: false; readonly message: string };

/**
 * The whole flash of a board as it leaves the factory: bootloader and signed image, everything else
 * erased. Nothing is enrolled yet.
 */
export function factoryFlash(
  choice: { soc: Soc; flashMiB: FlashMiB },
  parts: { readonly bootloader: Uint8Array; readonly image: Uint8Array },
): FlashImageResult {
  const { boot, slot0 } = partitionTable(choice);
  const { bootloader, image } = parts;
  if (bootloader.length > boot.sizeBytes)
    return refused("bootloader", bootloader.length, "its partition", boot.sizeBytes);
  if (image.length > slot0.sizeBytes)
    return refused("image", image.length, "a slot", slot0.sizeBytes);
  const flash = new Uint8Array(choice.flashMiB * 1024 * 1024).fill(0xff);
  flash.set(bootloader, boot.offsetBytes);
  flash.set(image, slot0.offsetBytes);
  return { ok: true, flash };
}

function refused(what: string, bytes: number, place: string, limit: number): FlashImageResult {
  return {
    ok: false,
    message: `the ${what} has ${bytes} bytes, ${place} holds ${limit}: ${bytes - limit} too many`,
  };
}

/**
 * The storage partition with an identity in it, beside what it held before; null starts it empty.
 * Throws `EnrolmentError` for what the firmware could not read.
 */
export function enrolledStorage(
  table: PartitionTable,
  before: Uint8Array | null,
  enrolment: Enrolment,
): Uint8Array {
  const { sizeBytes: size } = table.storage;
  const chip =
    before === null
      ? new NorFlash({ sizeBytes: size, writeBlockBytes })
      : NorFlash.fromBytes(before, writeBlockBytes);
  enroll(mounted(chip, size), enrolment);
  return chip.toBytes();
}

function mounted(chip: NorFlash, bytes: number): BoardStorage {
  try {
    return mountBoardStorage(chip.area(0, bytes));
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    throw new EnrolmentError(
      `the storage partition holds something else (${error.message}); erase it first, or write a fresh one with --out`,
    );
  }
}
