import type { BoardDevice } from "../../hosts/esp32/emulator/board-device.ts";
import { until } from "../../hosts/moddable/real-fleet.ts";

/** A chip that is at work says something more often, on the busiest machine. */
export const silentSeconds = 600;

/** The server counts the device as updated, or in the other state. */
export function untilUpdated(
  one: BoardDevice,
  rollout: number,
  state: "updated" | "rolled-back" | "no-link" = "updated",
): Promise<void> {
  const isCounted = async (): Promise<boolean> => (await one.fleet.count(rollout, state)) === 1;
  return until(`a device that is ${state}`, silentSeconds, isCounted, () => one.saidCount);
}
