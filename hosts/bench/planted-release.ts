import {
  type Arm,
  type Comparison,
  type ControlVerdict,
  judge,
  newComparison,
  type ObservedDevice,
  observe,
  type Reading,
} from "../fleet/rollout/control-group.ts";
import type { ControlSettings } from "../fleet/rollout/control-metrics.ts";

/** What a release does to the devices that run it; 1, or 0, is what it did before. */
export interface PlantedDefect {
  readonly name: string;
  /** The share of the devices that crash once a day more than before. */
  readonly crashingShare: number;
  readonly drainTimes: number;
  /** The share of the heartbeats that is missing. */
  readonly heartbeatsLost: number;
}

export const goodRelease: PlantedDefect = {
  name: "none",
  crashingShare: 0,
  drainTimes: 1,
  heartbeatsLost: 0,
};

export interface PlantedRollout {
  readonly seed: number;
  readonly devices: number;
  /** Cumulative shares of the devices, and how long each lasts. */
  readonly stages: readonly { readonly share: number; readonly hours: number }[];
  readonly defect: PlantedDefect;
  readonly settings: ControlSettings;
}

export interface PlantedOutcome {
  /** Null when nothing spoke against the release. */
  readonly verdict: ControlVerdict | null;
  /** Devices that ran the release at its end, or when it was stopped. */
  readonly updated: number;
  readonly afterHours: number;
}

/**
 * A rollout as the control group sees it: devices that differ, of two kinds, through days and
 * nights. Each reports every hour, and the comparison is looked at after every report.
 */
export function runPlanted(rollout: PlantedRollout): PlantedOutcome {
  const random = seeded(rollout.seed);
  const devices = Array.from({ length: rollout.devices }, () => newDevice(random));
  const comparison = newComparison();
  let hour = 0;
  for (const { share, hours } of rollout.stages) {
    const updated = Math.ceil(share * devices.length);
    for (const end = hour + hours; hour < end; hour += 1)
      for (const [index, device] of devices.entries()) {
        const arm = index < updated ? "updated" : "waiting";
        report(comparison, device, { arm, hour, defect: rollout.defect, random });
        const verdict = judge(comparison, rollout.settings);
        if (verdict !== null) return { verdict, updated, afterHours: hour + 1 };
      }
  }
  const last = rollout.stages.at(-1)?.share ?? 0;
  return { verdict: null, updated: Math.ceil(last * devices.length), afterHours: hour };
}

interface PlantedDevice {
  readonly stratum: string;
  readonly crashesAnHour: number;
  readonly disconnectsAnHour: number;
  readonly missedShare: number;
  readonly drainAnHour: number;
  /** Below the crashing share it crashes under the release. */
  readonly luck: number;
  arm: Arm;
  observed: ObservedDevice;
}

const heartbeatsAnHour = 12;

function newDevice(random: () => number): PlantedDevice {
  return {
    stratum: random() < 0.7 ? "esp32c3-a eu" : "esp32c3-b us",
    crashesAnHour: (0.002 / 24) * exponential(random),
    disconnectsAnHour: 0.2 * exponential(random),
    missedShare: 0.01 * exponential(random),
    drainAnHour: 2 * (1 + 0.2 * normal(random)),
    luck: random(),
    arm: "waiting",
    observed: { totals: {}, hadEvents: new Set() },
  };
}

interface Hour {
  readonly arm: Arm;
  readonly hour: number;
  readonly defect: PlantedDefect;
  readonly random: () => number;
}

function report(
  comparison: Comparison,
  device: PlantedDevice,
  { arm, hour, defect, random }: Hour,
): void {
  if (device.arm !== arm) {
    device.arm = arm;
    device.observed = { totals: {}, hadEvents: device.observed.hadEvents };
  }
  const isNew = arm === "updated";
  const day = 1 + 0.5 * Math.sin((2 * Math.PI * hour) / 24);
  const crashes = device.crashesAnHour + (isNew && device.luck < defect.crashingShare ? 1 / 24 : 0);
  const lost = Math.min(1, device.missedShare + (isNew ? defect.heartbeatsLost : 0));
  const drain = device.drainAnHour * day * (isNew ? defect.drainTimes : 1);
  const of = (amount: number): Reading => ({ hours: 1, amount });
  observe(comparison, device.observed, {
    stratum: device.stratum,
    arm,
    hour,
    readings: {
      crashes: of(poisson(random, crashes)),
      disconnects: of(poisson(random, device.disconnectsAnHour * day)),
      heartbeatsMissed: of(poisson(random, heartbeatsAnHour * lost)),
      batteryDrain: of(drain + 0.5 * normal(random)),
    },
  });
}

/** Mulberry32: the same numbers for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function exponential(random: () => number): number {
  return -Math.log(1 - random());
}

function normal(random: () => number): number {
  return Math.sqrt(2 * exponential(random)) * Math.cos(2 * Math.PI * random());
}

const poissonMax = 1000;

function poisson(random: () => number, mean: number): number {
  const end = Math.exp(-mean);
  let product = random();
  let count = 0;
  while (product > end && count < poissonMax) {
    product *= random();
    count += 1;
  }
  return count;
}
