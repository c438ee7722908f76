import { readIdentity } from "../../../src/update/settings.ts";
import type { Extent } from "../../flash/layout.ts";
import type { NorFlash } from "../../flash/nor-flash.ts";
import { openKeyValue } from "../../simulator/storage/key-value.ts";
import { openSettings } from "../../simulator/storage/settings.ts";

/**
 * What enrolment wrote into the storage partition, or null, read on a copy: mounting may mend what
 * a power cut left.
 */
export function enrolledIdentity(
  flash: NorFlash,
  storage: Extent,
): ReturnType<typeof readIdentity> {
  try {
    const area = flash.clone().area(storage.offsetBytes, storage.sizeBytes);
    return readIdentity(openKeyValue(openSettings(area), "sluice"));
  } catch {
    return null; // no storage that a board could mount: the same as none
  }
}
