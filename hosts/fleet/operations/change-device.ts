import { DeviceChange } from "./device-change.ts";
import type { Fleet } from "./fleet.ts";
import type { DeviceEntry } from "./known-devices.ts";

/**
 * One unit of work on one device, which may have been removed while its turn was waited for: then
 * nothing is written, since it would belong to whoever gets the id next.
 */
export function changeDevice<T>(
  fleet: Fleet,
  entry: DeviceEntry,
  work: (change: DeviceChange) => Promise<T>,
): Promise<T | "gone"> {
  return fleet.database.write(async (unit) =>
    isGone(fleet, entry) ? "gone" : work(new DeviceChange(unit, fleet, entry)),
  );
}

/** The device was removed while a request of it waited for its turn. */
export function isGone(fleet: Fleet, entry: DeviceEntry): boolean {
  return fleet.memory.devices.find(entry.id) !== entry;
}
