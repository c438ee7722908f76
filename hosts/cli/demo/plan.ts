import { bucketOf } from "../../fleet/rollout/buckets.ts";
import type { EngineKind } from "../../simulator/engines/engine.ts";

/** One device of the demo's fleet. */
export interface PlannedDevice {
  readonly id: string;
  readonly hardware: "esp32c3-a" | "esp32c3-b";
  readonly engine: EngineKind;
  /** Percent at the start; null is a device on mains. */
  readonly batteryPercent: number | null;
}

export const goodVersion = "1.1.0";
export const badVersion = "1.2.0";
export const firstVersion = "1.0.0";

const revisionACount = 20;
const revisionBCount = 5;
const lowBatteryId = "device-07";
const lowBatteryPercent = 12;

/**
 * The second rollout of a fresh server; its buckets decide which devices of revision b get the bad
 * release first.
 */
const badRolloutSalt = "rollout-2";

/**
 * Twenty devices of revision a, five of revision b. The one of revision b that the bad release
 * reaches first runs on a real XS engine, when this machine has one.
 */
export function planFleet(hasXs: boolean): readonly PlannedDevice[] {
  const count = revisionACount + revisionBCount;
  const ids = Array.from(
    { length: count },
    (_, index) => `device-${String(index + 1).padStart(2, "0")}`,
  );
  const revisionB = ids.slice(revisionACount);
  const firstHit = revisionB.toSorted(
    (one, other) => bucketOf(badRolloutSalt, one) - bucketOf(badRolloutSalt, other),
  )[0];
  return ids.map((id) => ({
    id,
    hardware: revisionB.includes(id) ? "esp32c3-b" : "esp32c3-a",
    engine: hasXs && id === firstHit ? "xs" : "node",
    batteryPercent: id === lowBatteryId ? lowBatteryPercent : null,
  }));
}
