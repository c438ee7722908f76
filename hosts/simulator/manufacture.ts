import type { DeviceLayout } from "../flash/layout.ts";
import { NorFlash } from "../flash/nor-flash.ts";
import { bootloaderProgram, recordOf } from "../mcuboot-model/bootloader-program.ts";
import { sluiceConfig } from "../mcuboot-model/sluice-config.ts";
import { type Enrolment, enroll } from "./enrolment.ts";
import { mountBoardStorage } from "./storage/board-storage.ts";

/**
 * The flash of a device as it leaves the factory: what the bootloader says of itself, a signed
 * image in the primary slot, the identity in the storage.
 */
export function manufacture(
  layout: DeviceLayout,
  image: Uint8Array,
  enrolment: Enrolment,
): NorFlash {
  const flash = new NorFlash({ sizeBytes: layout.flashBytes, writeBlockBytes: 4 });
  const primary = flash.area(layout.primary.offsetBytes, layout.primary.sizeBytes);
  const padded = new Uint8Array(Math.ceil(image.length / 4) * 4).fill(0xff);
  padded.set(image);
  primary.write(0, padded);
  if (layout.boot !== null) {
    const algorithm = "ecdsa-p256" as const;
    const keys = enrolment.imageKeys.map((publicKey) => ({ algorithm, publicKey }));
    const program = bootloaderProgram(recordOf(sluiceConfig(layout, keys), flash.writeBlockBytes));
    flash.area(layout.boot.offsetBytes, layout.boot.sizeBytes).write(0, program);
  }
  const storage = mountBoardStorage(
    flash.area(layout.storage.offsetBytes, layout.storage.sizeBytes),
  );
  enroll(storage, enrolment);
  return flash;
}
