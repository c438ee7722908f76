import { readImageInfo } from "../../../src/image/info.ts";
import type { TrustedImageKey } from "../../../src/image/keys.ts";
import { readBootloaderFile } from "../../esp32/bootloader-file.ts";
import { factoryFlash } from "../../esp32/flash-image.ts";
import { deviceLayout } from "../../flash/board-layout.ts";
import { NorFlash } from "../../flash/nor-flash.ts";
import { type FlashMiB, type Soc, writeBlockBytes } from "../../flash/partitions.ts";
import { bootloaderProgram, recordOf } from "../../mcuboot-model/bootloader-program.ts";
import { bootDevice, sluiceConfig } from "../../mcuboot-model/sluice-config.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { readInput } from "../command/files.ts";
import { readTrustedKeys } from "../options/signing-keys.ts";

export interface FactoryFlags {
  readonly factory?: true;
  readonly bootloader?: string;
  readonly simulated?: true;
  readonly imageKey: readonly string[];
  readonly soc: Soc;
  readonly flash: FlashMiB;
  readonly layout?: string;
}

/**
 * The flash of a board as it leaves the factory, before anybody is enrolled: bootloader, its
 * record, and the image. What its bootloader would not start is refused.
 */
export function factoryBytes(imageFile: string, flags: FactoryFlags): Uint8Array {
  if ((flags.bootloader === undefined) === (flags.simulated === undefined))
    throw new CommandError(
      "give the bootloader of the board with --bootloader, or --simulated for sluice simulate",
      exitCodes.usage,
    );
  const image = readInput(imageFile, "the image");
  const read = readImageInfo({
    sizeBytes: image.length,
    read: (at, into) => into.set(image.subarray(at, at + into.length)),
  });
  if (!read.ok)
    throw new CommandError(
      `${imageFile} is no image (${read.reason}): give what sluice release sign made`,
    );
  return flags.bootloader === undefined
    ? simulatedFlash(imageFile, image, flags)
    : boardFlash(image, flags, flags.bootloader);
}

function boardFlash(image: Uint8Array, { soc, flash: flashMiB }: FactoryFlags, file: string) {
  const bootloader = readInput(file, "the bootloader");
  const { refusal } = readBootloaderFile({ soc, flashMiB }, bootloader, "refuse");
  if (refusal !== null)
    throw new CommandError(
      `${file} does not fit the firmware: ${refusal.message}; bootloader/README.md has its build`,
    );
  return whole({ soc, flashMiB }, bootloader, image);
}

function simulatedFlash(imageFile: string, image: Uint8Array, flags: FactoryFlags): Uint8Array {
  const { soc, flash: flashMiB } = flags;
  if (flags.imageKey.length === 0)
    throw new CommandError(
      "give the public key that the simulated bootloader is built with: --image-key PEM",
      exitCodes.usage,
    );
  const keys: readonly TrustedImageKey[] = readTrustedKeys("--image-key", flags.imageKey);
  const layout = deviceLayout(`esp32-${flashMiB}m`);
  const program = bootloaderProgram(recordOf(sluiceConfig(layout, keys), writeBlockBytes));
  const bytes = whole({ soc, flashMiB }, program, image);
  const { outcome } = bootDevice(NorFlash.fromBytes(bytes.slice(), writeBlockBytes), layout, keys);
  if (outcome !== "booted")
    throw new CommandError(
      `a bootloader with these keys does not start ${imageFile} (${outcome}): give the --image-key of who signed it`,
    );
  return bytes;
}

function whole(
  board: { readonly soc: Soc; readonly flashMiB: FlashMiB },
  bootloader: Uint8Array,
  image: Uint8Array,
): Uint8Array {
  const made = factoryFlash(board, { bootloader, image });
  if (!made.ok) throw new CommandError(made.message);
  return made.flash;
}
