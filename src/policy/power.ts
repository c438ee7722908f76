import type { PowerReading } from "../ports/board.ts";

/** The least charge at which each step of an update may begin, in percent. */
export interface PowerThresholds {
  readonly downloadPercentMin: number;
  readonly activatePercentMin: number;
}

export const defaultPowerThresholds: PowerThresholds = {
  downloadPercentMin: 20,
  activatePercentMin: 30,
};

export type PowerStep = "download" | "activate";

/** A charging device may go on at any charge: the supply carries it. A board without a battery always may. */
export function powerAllows(
  step: PowerStep,
  reading: PowerReading,
  thresholds: PowerThresholds,
): boolean {
  if (reading.batteryPercent === null || reading.charging) return true;
  const percentMin =
    step === "download" ? thresholds.downloadPercentMin : thresholds.activatePercentMin;
  return reading.batteryPercent >= percentMin;
}
