import { evaluateStage, findHalt } from "../rollout/stage.ts";
import type { UnitOfWork } from "../storage/database.ts";
import { addEvent } from "../storage/events.ts";
import {
  countsOf,
  listStages,
  type StageRow,
  updateRollout,
  updateStage,
} from "../storage/rollouts.ts";
import { controlReason, controlVerdict } from "./control.ts";
import type { Fleet } from "./fleet.ts";
import type { Rollout } from "./memory.ts";

/**
 * Lets a rollout do what its counters ask for now: halt, soak, go on to the next stage, finish.
 * Reads one row per stage, however many devices there are. A paused rollout can only halt.
 */
export async function evaluateRollout(
  unit: UnitOfWork,
  fleet: Fleet,
  rolloutId: number,
): Promise<void> {
  const rollout = fleet.memory.rollouts.get(rolloutId);
  if (rollout === undefined || !isJudged(rollout)) return;
  const stages = await listStages(unit.db, rolloutId);
  let now: Rollout = haltIfOver(rollout, stages, unit.nowUnixMs);
  const serviceMs = fleet.time.nowMs();
  if (now === rollout) now = await haltIfWorse(unit, fleet, rollout);
  if (now.state === "running") now = await advance(unit, now, { stages, serviceMs });
  if (now === rollout) return;
  await updateRollout(unit.db, rolloutId, {
    state: now.state,
    halt: now.halt === null ? null : JSON.stringify(now.halt),
    current_stage: now.currentStage,
    ended_at: now.endedAtUnixMs,
  });
  if (now.state !== rollout.state) await announce(unit, now);
  unit.onCommit(() => fleet.memory.setRollout(now));
}

/**
 * Whether the rollout is judged. A finished one is: its devices may go back late, and its
 * stragglers take the release still.
 */
function isJudged({ state }: Rollout): boolean {
  return state === "running" || state === "paused" || state === "finished";
}

function haltIfOver(rollout: Rollout, stages: readonly StageRow[], nowUnixMs: number): Rollout {
  for (const row of stages.slice(0, rollout.currentStage + 1)) {
    const halt = findHalt(countsOf(row), rollout.definition);
    if (halt !== null)
      return {
        ...rollout,
        state: "halted",
        halt: { ...halt, stage: row.stage },
        endedAtUnixMs: nowUnixMs,
      };
  }
  return rollout;
}

/** Updated devices are worse than those that wait, though none of them went back. */
async function haltIfWorse(unit: UnitOfWork, fleet: Fleet, rollout: Rollout): Promise<Rollout> {
  const verdict = await controlVerdict(unit, fleet, rollout);
  if (verdict === null) return rollout;
  const { metric, sentence, updated, evidence, limit } = verdict;
  const halt = {
    reason: controlReason,
    stage: rollout.currentStage,
    sentence: `${sentence}: halted`,
    metric,
    bad: updated.devices,
    attempted: updated.devices,
    outOf: updated.devices,
    evidence,
    limit,
  } as const;
  return { ...rollout, state: "halted", halt, endedAtUnixMs: unit.nowUnixMs };
}

/** Completes stages and opens the next ones; bounded by their number. */
async function advance(
  unit: UnitOfWork,
  rollout: Rollout,
  { stages, serviceMs }: { readonly stages: readonly StageRow[]; readonly serviceMs: number },
): Promise<Rollout> {
  const nowUnixMs = unit.nowUnixMs;
  let current = rollout;
  for (const row of stages.slice(rollout.currentStage)) {
    const verdict = evaluateStage(
      {
        counts: countsOf(row),
        joined: row.joined,
        soakSeconds: row.soak_seconds,
        openedAtMs: row.opened_service_ms ?? serviceMs,
        settledAtMs: row.settled_service_ms,
      },
      rollout.definition,
      serviceMs,
    );
    if (verdict.kind !== "complete") {
      const settled = verdict.kind === "soaking" ? verdict.settledAtMs : null;
      if (settled !== row.settled_service_ms)
        await updateStage(unit.db, rollout.id, row.stage, {
          settled_at: settled === null ? null : nowUnixMs,
          settled_service_ms: settled,
        });
      return current;
    }
    await updateStage(unit.db, rollout.id, row.stage, {
      settled_at: row.settled_at ?? nowUnixMs,
      settled_service_ms: verdict.settledAtMs,
      completed_at: nowUnixMs,
    });
    await stageEvent(unit, rollout, "stage-completed", row);
    const next = stages[row.stage + 1];
    current = await openNext(unit, current, { next, serviceMs });
    if (next === undefined) return current;
  }
  return current;
}

/** What comes after a stage that is complete: the next one, or the end. */
export async function openNext(
  unit: UnitOfWork,
  rollout: Rollout,
  { next, serviceMs }: { readonly next: StageRow | undefined; readonly serviceMs: number },
): Promise<Rollout> {
  const nowUnixMs = unit.nowUnixMs;
  if (next === undefined)
    return { ...rollout, state: "finished", wasFinished: true, endedAtUnixMs: nowUnixMs };
  const opened = { opened_at: nowUnixMs, opened_service_ms: serviceMs };
  await updateStage(unit.db, rollout.id, next.stage, opened);
  await stageEvent(unit, rollout, "stage-opened", next);
  return { ...rollout, currentStage: next.stage };
}

export async function stageEvent(
  unit: UnitOfWork,
  rollout: Rollout,
  kind: string,
  row: StageRow,
  more: { readonly by?: "operator" } = {},
): Promise<void> {
  await addEvent(
    unit.db,
    { kind, rolloutId: rollout.id, details: { stage: row.stage, percent: row.percent, ...more } },
    unit.nowUnixMs,
  );
}

export async function announce(unit: UnitOfWork, rollout: Rollout): Promise<void> {
  await addEvent(
    unit.db,
    {
      kind: `rollout-${rollout.state}`,
      rolloutId: rollout.id,
      details: rollout.halt === null ? {} : { ...rollout.halt },
    },
    unit.nowUnixMs,
  );
}
