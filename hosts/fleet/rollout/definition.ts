import type { JsonObject } from "../../../src/protocol/json.ts";
import type { ControlSettings } from "./control-metrics.ts";
import type { OfferRate } from "./rate.ts";
import type { HaltThreshold, StageRules, StragglerRule } from "./stage.ts";

/** What an operator asked for; stored as JSON with the rollout. */
export interface RolloutDefinition extends StageRules {
  readonly selector: RolloutSelector;
  /** `soft` leaves the time of the installation to the device (DDI `attempt`). */
  readonly mode: "forced" | "soft";
  /**
   * The device, or its user, must agree before it is offered the release (DDI `confirmationBase`).
   */
  readonly needsConfirmation: boolean;
  readonly allowDowngrade: boolean;
  /** An operator approved that devices take another major version, or a breaking one. */
  readonly approved: boolean;
  /**
   * When devices may install, as docs/windows.md has it; null at any time. What devices are
   * configured with counts too.
   */
  readonly windows: JsonObject | null;
  /** Devices that rolled the release back before are offered it again, and told to take it. */
  readonly retryRolledBack: boolean;
  /**
   * A device that activated, or reported success, must prove within this time which image it runs.
   */
  readonly proofSeconds: number;
  /**
   * An action of which nothing is heard for so long, before its activation, is taken back; the
   * device may get another.
   */
  readonly actionSeconds: number;
  /** A cancellation that a device does not answer for so long is done without it. */
  readonly cancelSeconds: number;
  /** How fast it offers the release; null for as fast as devices come. */
  readonly rate: OfferRate | null;
  /** How updated devices are compared with those that wait; null for not at all. */
  readonly control: ControlSettings | null;
  /** The images that it was planned with; null of a rollout of before, which goes by their age. */
  readonly imageIds: readonly number[] | null;
  /**
   * The newest image that was published when it was planned: stepping stones are no newer. Null of
   * a rollout of before, which has none.
   */
  readonly stepImageIdMax: number | null;
}

/** Absent parts select everything. */
export interface RolloutSelector {
  readonly hardware?: readonly string[];
  readonly devices?: readonly string[];
  /** RSQL; asked again whenever a device is decided about. */
  readonly filter?: string;
}

export interface StageDefinition {
  readonly percent: number;
  readonly soakSeconds: number;
}

const daySeconds = 24 * 3600;

export const defaultStages: readonly StageDefinition[] = [1, 10, 50, 100].map((percent) => ({
  percent,
  soakSeconds: daySeconds,
}));

export const defaultHaltThreshold: HaltThreshold = {
  rolledBackShare: 0.05,
  failedShare: 0.2,
  noLinkShare: 0.2,
  attemptedMin: 20,
};

export const defaultStragglers: StragglerRule = {
  allowedShare: 0.1,
  afterSeconds: 7 * daySeconds,
};

export const defaultProofSeconds = daySeconds;
export const defaultActionSeconds = 14 * daySeconds;
export const defaultCancelSeconds = daySeconds;

/** Stages must hold ever more devices; a rollout may end before 100 percent. */
export function areStagesRising(stages: readonly StageDefinition[]): boolean {
  return stages.every(({ percent }, index) => percent > (stages[index - 1]?.percent ?? 0));
}

export function selects(
  selector: RolloutSelector,
  device: { readonly id: string; readonly hardware: string | null },
): boolean {
  if (device.hardware === null) return false;
  if (selector.hardware !== undefined && !selector.hardware.includes(device.hardware)) return false;
  return selector.devices === undefined || selector.devices.includes(device.id);
}
