import type { DigestHex } from "../../../src/protocol/digest.ts";
import { type AbortMetric, breachSentence, findBreach } from "../rollout/abort.ts";
import { type HaltThreshold, withThreshold } from "../rollout/definition.ts";
import { evaluateStage } from "../rollout/stage.ts";
import { membersCount } from "../rollout/tally.ts";
import { addApproval } from "../storage/approvals.ts";
import type { UnitOfWork } from "../storage/database.ts";
import { addEvent } from "../storage/events.ts";
import {
  listStages,
  type StageRow,
  tallyOf,
  updateRollout,
  updateStage,
} from "../storage/rollouts.ts";
import { acceptedControl } from "./control.ts";
import { decided, rolloutEvent, stageEvent } from "./decisions.ts";
import { completeStage, evaluateRollout, progressOf } from "./evaluate.ts";
import type { Fleet } from "./fleet.ts";
import type { Rollout } from "./memory.ts";
import type { Release } from "./releases.ts";
import { type RolloutResult, refuse } from "./rollout-result.ts";

/** Opens the first stage of a rollout that is ready. */
export function startRollout(fleet: Fleet, id: number): Promise<RolloutResult> {
  return onRollout(fleet, id, ["ready"], async (unit, rollout) => {
    const release = fleet.memory.releases.get(rollout.releaseId);
    if (release !== undefined) await mustHaveFiles(fleet, release);
    return { ok: true, rollout: await openRollout(unit, fleet, rollout) };
  });
}

/** No device is sent for a file that is not here: throws `ArtifactMissingError`. */
export async function mustHaveFiles(fleet: Fleet, release: Release): Promise<void> {
  for (const { fileHash, fileBytes } of release.images)
    await fleet.artifacts.mustHave(fileHash as DigestHex, fileBytes);
}

/** No device is offered the release any more; those that have begun go on. */
export function pauseRollout(fleet: Fleet, id: number): Promise<RolloutResult> {
  return onRollout(fleet, id, ["running", "finished"], (unit, rollout) =>
    change(unit, fleet, { ...rollout, endedAtUnixMs: null }, { state: "paused" }),
  );
}

/**
 * Goes on with a paused rollout. A halted one goes on only with a new threshold that its counters
 * satisfy: whoever lets it go on says how much they accept.
 */
export function resumeRollout(
  fleet: Fleet,
  id: number,
  haltThreshold: HaltThreshold | null,
): Promise<RolloutResult> {
  return onRollout(fleet, id, ["paused", "halted"], async (unit, rollout) => {
    const { definition: before } = rollout;
    const abort =
      haltThreshold === null ? before.abort : withThreshold(before.abort, haltThreshold);
    const definition = { ...before, abort, control: acceptedControl(rollout) };
    const stages = await listStages(unit.db, id);
    for (const row of stages.slice(0, rollout.currentStage + 1)) {
      const breach = findBreach(tallyOf(row), definition, ({ action }) => action !== "notify");
      if (breach !== null)
        return refuse(
          "over-threshold",
          `stage ${row.stage + 1}: ${breachSentence(breach)}; resume with a higher limit ` +
            `(${thresholdOptions[breach.rule.metric]}), or cancel`,
        );
    }
    await updateRollout(unit.db, id, { definition: JSON.stringify(definition), halt: null });
    const endedAtUnixMs = rollout.wasFinished ? (stages.at(-1)?.completed_at ?? null) : null;
    return change(
      unit,
      fleet,
      { ...rollout, definition, halt: null, keptSinceMs: null, endedAtUnixMs },
      { state: rollout.wasFinished ? "finished" : "running" },
    );
  });
}

/** By which option of the command each limit is raised. */
const thresholdOptions: Readonly<Record<AbortMetric, string>> = {
  "rolled-back": "--halt-share",
  failed: "--failed-share",
  silent: "--silent-share",
  "health-failed": "--health-share",
  "battery-drop": "--battery-share",
};

/** Ends a rollout for good; actions of devices that do not run the release yet are taken back. */
export function cancelRollout(fleet: Fleet, id: number): Promise<RolloutResult> {
  const from = ["ready", "running", "paused", "halted", "finished"] as const;
  return onRollout(fleet, id, from, (unit, rollout) =>
    change(unit, fleet, { ...rollout, endedAtUnixMs: unit.nowUnixMs }, { state: "cancelled" }),
  );
}

/**
 * Goes on from a stage that waits for an operator: by its policy, or since it lost its members
 * before one of them proved anything. Any other stage completes by itself, or says why it does not.
 */
export function advanceRollout(fleet: Fleet, id: number): Promise<RolloutResult> {
  return onRollout(fleet, id, ["running"], async (unit, rollout) => {
    const { row, stages } = await currentStage(unit, rollout);
    const serviceMs = fleet.time.nowMs();
    const progress = progressOf(rollout, row, serviceMs);
    const verdict = evaluateStage(progress, rollout.definition, serviceMs);
    const isManual = progress.advance === "manual";
    if (verdict.kind !== "emptied" && !(isManual && verdict.kind === "for-approval")) {
      const waitsFor = "waitsFor" in verdict ? verdict.waitsFor : "nothing";
      const how = isManual ? "is not ready" : "goes on by itself";
      return refuse(
        "stage-not-ready",
        `stage ${row.stage + 1} has ${membersCount(progress.counts)} devices and ${how}: it waits for ${waitsFor}; remove devices that are dead`,
      );
    }
    const next = stages[row.stage + 1];
    const after = await completeStage(unit, rollout, { row, next, serviceMs, by: "operator" });
    if (after.state !== rollout.state) await rolloutEvent(unit, after);
    await updateRollout(unit.db, rollout.id, {
      state: after.state,
      current_stage: after.currentStage,
      ended_at: after.endedAtUnixMs,
    });
    unit.onCommit(() => fleet.memory.setRollout(after));
    return { ok: true, rollout: after };
  });
}

/** One person approves that the rollout goes on from its stage; nobody counts twice. */
export async function approveStage(
  fleet: Fleet,
  id: number,
  approver: string,
): Promise<RolloutResult> {
  const result = await onRollout(fleet, id, ["running", "paused"], async (unit, rollout) => {
    const { row } = await currentStage(unit, rollout);
    const advance = rollout.definition.stages[row.stage]?.advance ?? "automatic";
    if (typeof advance === "string")
      return refuse(
        "needs-no-approval",
        `stage ${row.stage + 1} needs no approval: its policy says ${advance}`,
      );
    const of = { rolloutId: id, stage: row.stage, approver };
    if (!(await addApproval(unit.db, of, unit.nowUnixMs)))
      return refuse("approved-already", `${approver} approved stage ${row.stage + 1} before`);
    const given = row.approvals + 1;
    await decided(unit, rollout, {
      stage: row.stage,
      kind: "approved",
      sentence: `${approver} approved stage ${row.stage + 1}: ${given} of ${advance.approvals}`,
      inputs: { approver, given, advance },
    });
    await stageEvent(unit, rollout, "stage-approved", row, { approver });
    return { ok: true, rollout };
  });
  if (!result.ok) return result;
  await fleet.database.write((unit) => evaluateRollout(unit, fleet, id));
  return { ok: true, rollout: fleet.memory.rollouts.get(id) ?? result.rollout };
}

async function currentStage(
  unit: UnitOfWork,
  { id, currentStage: stage }: Rollout,
): Promise<{ readonly row: StageRow; readonly stages: readonly StageRow[] }> {
  const stages = await listStages(unit.db, id);
  const row = stages[stage];
  if (row === undefined) throw new Error(`rollout ${id} has no stage ${stage}`);
  return { row, stages };
}

async function onRollout(
  fleet: Fleet,
  id: number,
  from: readonly Rollout["state"][],
  work: (unit: UnitOfWork, rollout: Rollout) => Promise<RolloutResult>,
): Promise<RolloutResult> {
  const result = await fleet.database.write(async (unit): Promise<RolloutResult> => {
    const rollout = fleet.memory.rollouts.get(id);
    if (rollout === undefined) return refuse("unknown-rollout", `there is no rollout ${id}`);
    if (!from.includes(rollout.state))
      return refuse("wrong-state", `rollout ${id} is ${rollout.state}, not ${from.join(" or ")}`);
    return work(unit, rollout);
  });
  if (!result.ok) return result;
  return { ok: true, rollout: fleet.memory.rollouts.get(id) ?? result.rollout };
}

async function change(
  unit: UnitOfWork,
  fleet: Fleet,
  rollout: Rollout,
  to: { readonly state: Rollout["state"] },
): Promise<RolloutResult> {
  const next = { ...rollout, ...to };
  await updateRollout(unit.db, rollout.id, {
    state: next.state,
    ended_at: next.endedAtUnixMs,
    kept_since_service_ms: next.keptSinceMs,
  });
  const kind = next.state === "finished" || next.state === "running" ? "resumed" : next.state;
  if (kind !== "ready")
    await decided(unit, rollout, {
      stage: rollout.currentStage,
      kind,
      sentence: `an operator said so, it was ${rollout.state}: ${kind}`,
      inputs: { from: rollout.state },
    });
  await addEvent(unit.db, { kind: `rollout-${next.state}`, rolloutId: rollout.id }, unit.nowUnixMs);
  unit.onCommit(() => fleet.memory.setRollout(next));
  return { ok: true, rollout: next };
}

/** Opens the first stage. */
export async function openRollout(
  unit: UnitOfWork,
  fleet: Fleet,
  rollout: Rollout,
): Promise<Rollout> {
  const { nowUnixMs } = unit;
  const next = { ...rollout, state: "running", startedAtUnixMs: nowUnixMs } as const;
  await updateRollout(unit.db, rollout.id, { state: "running", started_at: nowUnixMs });
  await updateStage(unit.db, rollout.id, 0, {
    opened_at: nowUnixMs,
    opened_service_ms: fleet.time.nowMs(),
  });
  await addEvent(unit.db, { kind: "rollout-started", rolloutId: rollout.id }, nowUnixMs);
  const [first] = await listStages(unit.db, rollout.id);
  await decided(unit, rollout, {
    stage: 0,
    kind: "opened",
    sentence: `started: stage 1 opens for ${first?.joined ?? 0} of ${rollout.eligible} devices`,
    inputs: { eligible: rollout.eligible },
  });
  unit.onCommit(() => fleet.memory.setRollout(next));
  return next;
}
