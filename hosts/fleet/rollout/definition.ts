import type { JsonObject } from "../../../src/protocol/json.ts";
import type { AbortMetric, AbortRule } from "./abort.ts";
import { defaultPolicy, type PolicyRules, type StagePlan } from "./policy.ts";
import type { OfferRate } from "./rate.ts";
import type { StageRules } from "./stage.ts";

/** What an operator asked for; stored as JSON with the rollout. */
export interface RolloutDefinition extends StageRules, PolicyRules {
  /** Where the rules come from; null of rules that were told with the rollout. */
  readonly policy: { readonly name: string; readonly version: number } | null;
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

const daySeconds = 24 * 3600;

export const defaultProofSeconds = daySeconds;
export const defaultActionSeconds = 14 * daySeconds;
export const defaultCancelSeconds = daySeconds;

/** What rollouts of before did, who could not be asked to do otherwise. */
const earlierDefinition = {
  ...defaultPolicy,
  policy: null,
  approved: false,
  retryRolledBack: false,
  windows: null,
  actionSeconds: defaultActionSeconds,
  cancelSeconds: defaultCancelSeconds,
  rate: null,
  control: null,
  imageIds: null,
  stepImageIdMax: null,
};

/** A definition as it was stored, by any server since the first. */
export function readDefinition(
  stored: string,
  stages: readonly { readonly percent: number; readonly soakSeconds: number }[],
): RolloutDefinition {
  const { halt, ...definition } = JSON.parse(stored);
  const planned = stages.map(
    ({ percent, soakSeconds }): StagePlan => ({
      percent,
      soakSeconds,
      advance: "automatic",
      success: null,
    }),
  );
  // The smallest sample was there against the first bad device, which is no verdict any more.
  const { attemptedMin: _, ...limits } = halt ?? {};
  const abort = withThreshold(earlierDefinition.abort, limits);
  return { ...earlierDefinition, stages: planned, abort, ...definition };
}

/** Other limits for the rules of a policy; what is absent stays. */
export interface HaltThreshold {
  readonly rolledBackShare?: number;
  readonly failedShare?: number;
  readonly healthFailedShare?: number;
  readonly noLinkShare?: number;
  readonly batteryDropShare?: number;
  /** The smallest sample of every rule that stops the rollout. */
  readonly attemptedMin?: number;
}

/**
 * The rules under these limits. Whoever accepts that devices roll back accepts that they do so for
 * a health check. A metric without a rule that stops the rollout gets one.
 */
export function withThreshold(
  abort: readonly AbortRule[],
  threshold: HaltThreshold,
): readonly AbortRule[] {
  const { rolledBackShare, attemptedMin } = threshold;
  const stops = abort.filter(({ action }) => action !== "notify");
  const healthLimit = stops.find(({ metric }) => metric === "health-failed")?.share ?? 1;
  const limits: Readonly<Record<AbortMetric, number | undefined>> = {
    "rolled-back": rolledBackShare,
    failed: threshold.failedShare,
    silent: threshold.noLinkShare,
    "health-failed":
      threshold.healthFailedShare ??
      (rolledBackShare !== undefined && rolledBackShare > healthLimit
        ? rolledBackShare
        : undefined),
    "battery-drop": threshold.batteryDropShare,
  };
  const changed = abort.map((rule) =>
    rule.action === "notify"
      ? rule
      : {
          ...rule,
          share: limits[rule.metric] ?? rule.share,
          minSample: attemptedMin ?? rule.minSample,
        },
  );
  const missing = Object.entries(limits).flatMap(([name, share]): AbortRule[] => {
    const metric = name as AbortMetric;
    if (share === undefined || stops.some((rule) => rule.metric === metric)) return [];
    return [{ metric, share, minSample: attemptedMin ?? 1, action: "halt" }];
  });
  return [...changed, ...missing];
}

export function selects(
  selector: RolloutSelector,
  device: { readonly id: string; readonly hardware: string | null },
): boolean {
  if (device.hardware === null) return false;
  if (selector.hardware !== undefined && !selector.hardware.includes(device.hardware)) return false;
  return selector.devices === undefined || selector.devices.includes(device.id);
}
