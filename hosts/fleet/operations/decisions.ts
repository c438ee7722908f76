import type { UnitOfWork } from "../storage/database.ts";
import { addDecision, type NewDecision } from "../storage/decisions.ts";
import { addEvent } from "../storage/events.ts";
import type { StageRow } from "../storage/rollouts.ts";
import type { Rollout } from "./memory.ts";

/** Keeps what was decided about a rollout, with its arithmetic. */
export function decided(
  unit: UnitOfWork,
  { id: rolloutId }: Pick<Rollout, "id">,
  decision: Omit<NewDecision, "rolloutId">,
): Promise<void> {
  return addDecision(unit.db, { rolloutId, ...decision }, unit.nowUnixMs);
}

export async function stageEvent(
  unit: UnitOfWork,
  rollout: Rollout,
  kind: string,
  row: StageRow,
  more: Readonly<Record<string, string>> = {},
): Promise<void> {
  await addEvent(
    unit.db,
    { kind, rolloutId: rollout.id, details: { stage: row.stage, percent: row.percent, ...more } },
    unit.nowUnixMs,
  );
}

/** Tells that the rollout is in another state, and why. */
export async function rolloutEvent(unit: UnitOfWork, rollout: Rollout): Promise<void> {
  const details = rollout.halt === null ? {} : { ...rollout.halt };
  const event = { kind: `rollout-${rollout.state}`, rolloutId: rollout.id, details };
  await addEvent(unit.db, event, unit.nowUnixMs);
}
