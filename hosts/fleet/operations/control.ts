import { type ControlVerdict, judge } from "../rollout/control-group.ts";
import type { ControlSettings } from "../rollout/control-metrics.ts";
import type { UnitOfWork } from "../storage/database.ts";
import type { Fleet } from "./fleet.ts";
import type { Rollout } from "./memory.ts";

/** Why the control group stops a rollout. */
export const controlReason = "control-group";

/** Whether devices of the rollout are compared: until its last stage is complete. */
export function isCompared({ state, wasFinished, definition }: Rollout): boolean {
  return state === "running" && !wasFinished && definition.control !== null;
}

/**
 * What the control group says against the release of a rollout that runs, or null. Reads sums
 * alone, which are in memory.
 */
export async function controlVerdict(
  unit: UnitOfWork,
  fleet: Fleet,
  rollout: Rollout,
): Promise<ControlVerdict | null> {
  const { control } = rollout.definition;
  if (control === null || !isCompared(rollout)) return null;
  return judge(await fleet.comparisons.of(unit, rollout.id), control);
}

/** Whoever lets a rollout go on that its control group stopped accepts what it found. */
export function acceptedControl({ definition, halt }: Rollout): ControlSettings | null {
  const { control } = definition;
  if (control === null || halt === null || halt.reason !== controlReason) return control;
  const accepted = "metric" in halt && typeof halt.metric === "string" ? [halt.metric] : [];
  return { ...control, accepted: [...control.accepted, ...accepted] };
}
