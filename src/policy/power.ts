import type { PowerReading } from "../ports/board.ts";
import {
  type EnergyConstants,
  type EnergyEstimate,
  estimatedEnergyConstants,
  estimateEnergy,
  type WorkLeft,
} from "./energy.ts";

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

/** What carries the board: `mains` does without the battery, which is then a reserve at most. */
export type PowerSupply = "mains" | "battery";

export interface PowerFacts extends PowerReading {
  readonly supply: PowerSupply;
}

/** A reading of a board that knows nothing of its supply: one without a battery is on mains. */
export function powerFacts(reading: PowerReading): PowerFacts {
  return { ...reading, supply: reading.batteryPercent === null ? "mains" : "battery" };
}

export interface PowerPolicy {
  readonly thresholds: PowerThresholds;
  /** What shall be left in the battery when the update is over. */
  readonly reservePercent: number;
  /**
   * A deferred update goes on only with this much more than it needed, so that it does not start
   * and stop.
   */
  readonly hysteresisPercent: number;
  readonly energy: EnergyConstants;
}

export const defaultPowerPolicy: PowerPolicy = {
  thresholds: defaultPowerThresholds,
  reservePercent: 10,
  hysteresisPercent: 5,
  energy: estimatedEnergyConstants,
};

export interface PowerQuestion {
  readonly step: PowerStep;
  readonly power: PowerFacts;
  /**
   * All that is left of the update, not of this step alone: a download that cannot be followed by
   * its swap is waste.
   */
  readonly work: WorkLeft;
  /** The update is deferred for its energy now. */
  readonly wasDeferred: boolean;
}

export type PowerDecision =
  | { readonly allowed: true; readonly estimate: EnergyEstimate }
  | {
      readonly allowed: false;
      /**
       * `low-battery`: the step's fixed threshold. `energy`: above it, but the estimate asks for
       * more.
       */
      readonly reason: "low-battery" | "energy";
      readonly estimate: EnergyEstimate;
      /** 0 when the gauge gives no number. */
      readonly batteryPercent: number;
      /**
       * The charge at which the step would be allowed; over 100 when only charging or another
       * battery helps.
       */
      readonly neededPercent: number;
    };

/**
 * May a step begin, or begin again after a deferral?
 *
 * | supply                   | download                             | swap                                 |
 * | mains                    | yes                                  | yes                                  |
 * | battery, charging        | yes                                  | from its threshold                   |
 * | battery                  | from its threshold and the estimate  | from its threshold and the estimate  |
 *
 * The estimate asks for the rest of the update plus the reserve. No estimate and no charger lets a
 * swap begin below the activation threshold: a cable can be pulled, and a swap cannot be stopped. A
 * gauge that gives no number counts as 0.
 */
export function decidePower(question: PowerQuestion, policy: PowerPolicy): PowerDecision {
  const { step, power, work, wasDeferred } = question;
  const estimate = estimateEnergy(work, policy.energy);
  if (power.supply === "mains" || power.batteryPercent === null) return { allowed: true, estimate };
  if (step === "download" && power.charging) return { allowed: true, estimate };
  const { downloadPercentMin, activatePercentMin } = policy.thresholds;
  const thresholdPercent = step === "download" ? downloadPercentMin : activatePercentMin;
  const estimatedPercent = power.charging ? 0 : policy.reservePercent + estimate.totalPercent;
  const leastPercent = Math.max(thresholdPercent, estimatedPercent);
  // A full battery passes every threshold that it can: hysteresis alone must not keep an update
  // waiting for ever.
  const resumePercent = Math.max(
    leastPercent,
    Math.min(100, leastPercent + policy.hysteresisPercent),
  );
  const neededPercent = wasDeferred ? resumePercent : leastPercent;
  const batteryPercent = Number.isFinite(power.batteryPercent) ? power.batteryPercent : 0;
  if (batteryPercent >= neededPercent) return { allowed: true, estimate };
  const byThreshold = batteryPercent < thresholdPercent || thresholdPercent >= estimatedPercent;
  const reason = byThreshold ? "low-battery" : "energy";
  return { allowed: false, reason, estimate, batteryPercent, neededPercent };
}

/** One line for reports: `battery 22 %, needs 31 %, for 12.3 mWh (0.3 %) to go`. */
export function describeDeferral(decision: Extract<PowerDecision, { allowed: false }>): string {
  const { batteryPercent, neededPercent, estimate } = decision;
  const left = `${estimate.totalMilliwattHours.toFixed(1)} mWh (${estimate.totalPercent.toFixed(1)} %)`;
  return `battery ${Math.floor(batteryPercent)} %, needs ${Math.ceil(neededPercent)} %, for ${left} to go`;
}
