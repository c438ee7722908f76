import { confirmWrites, readTrailer, swapRequestWrites } from "../../src/image/trailer.ts";
import type { NorFlash } from "../flash/nor-flash.ts";
import { loaderState } from "./boot.ts";
import type { BootConfig } from "./config.ts";

/** What the calls of bootutil_public.c return: done, BOOT_EBADIMAGE or BOOT_EBADVECT. */
export type CallResult = "ok" | "bad-image" | "bad-vector";

/**
 * boot_set_pending: asks for the image in the secondary slot, on trial or for good. A request that
 * stands is left as it is. A cut after the first write of a permanent request leaves a trial.
 */
export function setPending(
  flash: NorFlash,
  config: BootConfig,
  kind: "test" | "permanent",
): CallResult {
  const { secondary } = loaderState(flash, config);
  const trailer = readTrailer(secondary.area, secondary.place.shape);
  const plan = swapRequestWrites(trailer, secondary.place, kind);
  if (!plan.ok) return "bad-image";
  for (const write of plan.writes) secondary.write(write);
  return "ok";
}

/**
 * boot_set_confirmed: keeps the running image. An image that no swap brought needs no confirmation.
 */
export function setConfirmed(flash: NorFlash, config: BootConfig): CallResult {
  const { primary } = loaderState(flash, config);
  const plan = confirmWrites(readTrailer(primary.area, primary.place.shape), primary.place);
  if (!plan.ok) return "bad-vector";
  for (const write of plan.writes) primary.write(write);
  return "ok";
}
