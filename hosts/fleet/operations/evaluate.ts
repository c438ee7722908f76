import { breachesOf, breachSentence, findBreach } from "../rollout/abort.ts";
import { type Halt, haltOfBreach } from "../rollout/halt.ts";
import { evaluateStage, type StageProgress, type StageVerdict } from "../rollout/stage.ts";
import type { UnitOfWork } from "../storage/database.ts";
import { findLastDecision } from "../storage/decisions.ts";
import {
  listStages,
  type StageRow,
  tallyOf,
  updateRollout,
  updateStage,
} from "../storage/rollouts.ts";
import { controlReason, controlVerdict } from "./control.ts";
import { decided, rolloutEvent, stageEvent } from "./decisions.ts";
import type { Fleet } from "./fleet.ts";
import type { Rollout } from "./memory.ts";

/**
 * Lets a rollout do what its counters ask for now: stop, go on by itself, soak, go on to the next
 * stage, finish. Reads one row per stage, however many devices there are.
 */
export async function evaluateRollout(
  unit: UnitOfWork,
  fleet: Fleet,
  rolloutId: number,
): Promise<void> {
  const rollout = fleet.memory.rollouts.get(rolloutId);
  if (rollout === undefined || !isJudged(rollout)) return;
  const stages = await listStages(unit.db, rolloutId);
  const serviceMs = fleet.time.nowMs();
  const opened = stages.slice(0, rollout.currentStage + 1);
  let now = await stopIfBroken(unit, rollout, opened);
  if (now === rollout) now = await resumeIfKept(unit, rollout, { opened, serviceMs });
  if (now === rollout) now = await haltIfWorse(unit, fleet, rollout);
  if (now.state === "running") now = await advance(unit, now, { stages, serviceMs });
  await warn(unit, now, opened);
  if (now === rollout) return;
  await updateRollout(unit.db, rolloutId, {
    state: now.state,
    halt: now.halt === null ? null : JSON.stringify(now.halt),
    kept_since_service_ms: now.keptSinceMs,
    current_stage: now.currentStage,
    ended_at: now.endedAtUnixMs,
  });
  if (now.state !== rollout.state) await rolloutEvent(unit, now);
  // Devices are decided anew only where that may change what they are told.
  const isAnother = now.state !== rollout.state || now.currentStage !== rollout.currentStage;
  unit.onCommit(() => fleet.memory.setRollout(now, { isAnother }));
}

/**
 * Whether the rollout is judged. A finished one is: its devices may go back late, and its
 * stragglers take the release still. A halted one is that may go on by itself.
 */
function isJudged(rollout: Rollout): boolean {
  const { state } = rollout;
  return state === "running" || state === "paused" || state === "finished" || mayResume(rollout);
}

/** A rule of shares stopped it, and its policy lets it go on once that is kept again. */
function mayResume({ state, halt, definition }: Rollout): boolean {
  const isStopped = state === "halted" || state === "paused";
  return isStopped && halt !== null && halt.limit !== null && definition.resume !== null;
}

/** A rollout that is paused stops further only by a rule that does more than pause it. */
async function stopIfBroken(
  unit: UnitOfWork,
  rollout: Rollout,
  opened: readonly StageRow[],
): Promise<Rollout> {
  if (rollout.state === "halted") return rollout;
  const weaker: readonly string[] = rollout.state === "paused" ? ["notify", "pause"] : ["notify"];
  for (const row of opened) {
    const tally = tallyOf(row);
    const breach = findBreach(tally, rollout.definition, ({ action }) => !weaker.includes(action));
    if (breach === null) continue;
    const halt = haltOfBreach(breach, row.stage);
    const { action } = breach.rule;
    const state = action === "cancel" ? "cancelled" : action === "pause" ? "paused" : "halted";
    await decided(unit, rollout, {
      stage: row.stage,
      kind: state,
      sentence: halt.sentence,
      inputs: { ...tally, rule: breach.rule, lowerBound: breach.lowerBound },
    });
    const endedAtUnixMs = state === "paused" ? null : unit.nowUnixMs;
    return { ...rollout, state, halt, keptSinceMs: null, endedAtUnixMs };
  }
  return rollout;
}

/** Updated devices are worse than those that wait, though none of them went back. */
async function haltIfWorse(unit: UnitOfWork, fleet: Fleet, rollout: Rollout): Promise<Rollout> {
  const verdict = await controlVerdict(unit, fleet, rollout);
  if (verdict === null) return rollout;
  const { metric, updated, evidence } = verdict;
  const sentence = `${verdict.sentence}: halted`;
  const halt: Halt = {
    reason: controlReason,
    stage: rollout.currentStage,
    action: "halt",
    sentence,
    bad: null,
    sample: updated.devices,
    lowerBound: null,
    limit: null,
    metric,
  };
  await decided(unit, rollout, {
    stage: rollout.currentStage,
    kind: "halted",
    sentence,
    inputs: { ...verdict, evidence },
  });
  const endedAtUnixMs = unit.nowUnixMs;
  return { ...rollout, state: "halted", halt, keptSinceMs: null, endedAtUnixMs };
}

async function resumeIfKept(
  unit: UnitOfWork,
  rollout: Rollout,
  { opened, serviceMs }: { readonly opened: readonly StageRow[]; readonly serviceMs: number },
): Promise<Rollout> {
  const { definition, halt, keptSinceMs } = rollout;
  if (!mayResume(rollout) || halt === null || definition.resume === null) return rollout;
  const isKept = opened.every(
    (row) => findBreach(tallyOf(row), definition, ({ action }) => action !== "notify") === null,
  );
  if (!isKept) return keptSinceMs === null ? rollout : { ...rollout, keptSinceMs: null };
  if (keptSinceMs === null) return { ...rollout, keptSinceMs: serviceMs };
  const { afterSeconds } = definition.resume;
  if (serviceMs < keptSinceMs + afterSeconds * 1000) return rollout;
  await decided(unit, rollout, {
    stage: rollout.currentStage,
    kind: "resumed",
    sentence: `every rule was kept for ${afterSeconds} s after "${halt.sentence}": resumed`,
    inputs: { afterSeconds },
  });
  const state = rollout.wasFinished ? "finished" : "running";
  const endedAtUnixMs = rollout.wasFinished ? (opened.at(-1)?.completed_at ?? null) : null;
  return { ...rollout, state, halt: null, keptSinceMs: null, endedAtUnixMs };
}

/** Tells of each rule that only warns, once for each stage. */
async function warn(
  unit: UnitOfWork,
  rollout: Rollout,
  opened: readonly StageRow[],
): Promise<void> {
  const { definition } = rollout;
  if (!definition.abort.some(({ action }) => action === "notify")) return;
  for (const row of opened) {
    let warned = row.warned_rules;
    for (const breach of breachesOf(tallyOf(row), definition)) {
      const bit = 1 << definition.abort.indexOf(breach.rule);
      if (breach.rule.action !== "notify" || (warned & bit) !== 0) continue;
      warned |= bit;
      const sentence = breachSentence(breach);
      await decided(unit, rollout, {
        stage: row.stage,
        kind: "warned",
        sentence,
        inputs: { ...tallyOf(row), rule: breach.rule, lowerBound: breach.lowerBound },
      });
      await stageEvent(unit, rollout, "rollout-warned", row, { sentence });
    }
    if (warned !== row.warned_rules)
      await updateStage(unit.db, rollout.id, row.stage, { warned_rules: warned });
  }
}

/** A stage as the rules take it. */
export function progressOf(rollout: Rollout, row: StageRow, serviceMs: number): StageProgress {
  const plan = rollout.definition.stages[row.stage];
  return {
    ...tallyOf(row),
    joined: row.joined,
    soakSeconds: row.soak_seconds,
    success: plan?.success ?? null,
    advance: plan?.advance ?? "automatic",
    approvals: row.approvals,
    openedAtMs: row.opened_service_ms ?? serviceMs,
    settledAtMs: row.settled_service_ms,
  };
}

/** Completes stages and opens the next ones; bounded by their number. */
async function advance(
  unit: UnitOfWork,
  rollout: Rollout,
  { stages, serviceMs }: { readonly stages: readonly StageRow[]; readonly serviceMs: number },
): Promise<Rollout> {
  let current = rollout;
  for (const row of stages.slice(rollout.currentStage)) {
    const progress = progressOf(rollout, row, serviceMs);
    const verdict = evaluateStage(progress, rollout.definition, serviceMs);
    if (verdict.kind !== "complete") return hold(unit, current, row, verdict);
    const next = stages[row.stage + 1];
    current = await completeStage(unit, current, { row, next, serviceMs, by: null });
    if (next === undefined) return current;
  }
  return current;
}

/**
 * Notes since when the stage is settled, and why it does not go on, where that is another reason.
 */
async function hold(
  unit: UnitOfWork,
  rollout: Rollout,
  row: StageRow,
  verdict: Exclude<StageVerdict, { kind: "complete" }>,
): Promise<Rollout> {
  const settledMs = "settledAtMs" in verdict ? verdict.settledAtMs : null;
  if (settledMs !== row.settled_service_ms)
    await updateStage(unit.db, rollout.id, row.stage, {
      settled_at: settledMs === null ? null : unit.nowUnixMs,
      settled_service_ms: settledMs,
    });
  const heldAs = `${row.stage} ${verdict.kind}`;
  if (rollout.heldAs === heldAs) return rollout;
  const before = rollout.heldAs ?? (await heldBefore(unit, rollout));
  // That devices are on their way goes without saying, but for a stage that was settled before.
  const isNews =
    before !== heldAs &&
    (verdict.kind !== "in-progress" || before?.startsWith(`${row.stage} `) === true);
  if (isNews) {
    const waitsFor =
      verdict.kind === "emptied"
        ? "its devices are gone: an operator advances it"
        : verdict.waitsFor;
    await decided(unit, rollout, {
      stage: row.stage,
      kind: "held",
      sentence: `stage ${row.stage + 1} waits: ${waitsFor}`,
      inputs: { ...tallyOf(row), heldAs },
    });
  }
  return { ...rollout, heldAs };
}

/** After a start of the server: what the stage was held as when it was decided last. */
async function heldBefore(unit: UnitOfWork, { id }: Rollout): Promise<string | null> {
  const last = await findLastDecision(unit.db, id);
  if (last === undefined || last.kind !== "held") return null;
  const { heldAs } = JSON.parse(last.inputs);
  return typeof heldAs === "string" ? heldAs : null;
}

/** Closes a stage and opens the next one, or ends the rollout. */
export async function completeStage(
  unit: UnitOfWork,
  rollout: Rollout,
  to: {
    readonly row: StageRow;
    readonly next: StageRow | undefined;
    readonly serviceMs: number;
    /** Who says so, where it is not the counters. */
    readonly by: string | null;
  },
): Promise<Rollout> {
  const { nowUnixMs } = unit;
  const { row, next, serviceMs, by } = to;
  await updateStage(unit.db, rollout.id, row.stage, {
    settled_at: row.settled_at ?? nowUnixMs,
    settled_service_ms: row.settled_service_ms ?? serviceMs,
    completed_at: nowUnixMs,
  });
  await stageEvent(unit, rollout, "stage-completed", row, by === null ? {} : { by });
  const tally = tallyOf(row);
  const { updated } = tally.counts;
  const done = `stage ${row.stage + 1} is complete, ${updated} of ${row.joined} updated`;
  const said = by === null ? "" : ` (${by})`;
  const inputs = { ...tally, soakSeconds: row.soak_seconds, by };
  if (next === undefined) {
    const sentence = `${done}${said}: finished`;
    await decided(unit, rollout, { stage: row.stage, kind: "finished", sentence, inputs });
    return { ...rollout, state: "finished", wasFinished: true, endedAtUnixMs: nowUnixMs };
  }
  const sentence = `${done}${said}: stage ${next.stage + 1} opens for ${next.joined} devices`;
  await decided(unit, rollout, { stage: row.stage, kind: "advanced", sentence, inputs });
  const opened = { opened_at: nowUnixMs, opened_service_ms: serviceMs };
  await updateStage(unit.db, rollout.id, next.stage, opened);
  await stageEvent(unit, rollout, "stage-opened", next);
  return { ...rollout, currentStage: next.stage, heldAs: null };
}
