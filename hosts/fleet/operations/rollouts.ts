import type { DigestHex } from "../../../src/protocol/digest.ts";
import { parseRolloutFilter } from "../filter/rollout-filter.ts";
import { bucketOf, sortBuckets, stageCutoffs, stageOf } from "../rollout/buckets.ts";
import {
  areStagesRising,
  type RolloutDefinition,
  type StageDefinition,
  selects,
} from "../rollout/definition.ts";
import type { Ineligibility } from "../rollout/eligibility.ts";
import { findHalt, type HaltThreshold, membersCount } from "../rollout/stage.ts";
import type { Queries, UnitOfWork } from "../storage/database.ts";
import {
  type DeviceFilter,
  listCandidates,
  listPassing,
  listSpelledOtherwise,
  mapRefusals,
} from "../storage/devices.ts";
import { addEvent } from "../storage/events.ts";
import {
  countsOf,
  insertMembers,
  insertRollout,
  insertStage,
  listStages,
  type StageRow,
  updateRollout,
  updateStage,
} from "../storage/rollouts.ts";
import { limits } from "../terms/limits.ts";
import { leaveTurn } from "../time/slices.ts";
import { findEntry } from "./contact.ts";
import { acceptedControl } from "./control.ts";
import { saltOf } from "./decide.ts";
import { newestImageId, nextOffered } from "./eligible.ts";
import { announce, openNext, stageEvent } from "./evaluate.ts";
import type { Fleet } from "./fleet.ts";
import { type Rollout, rolloutOfRow } from "./memory.ts";
import { Overlap, type Wanted } from "./overlap.ts";
import { imageFor, type Release, type ReleaseFile } from "./releases.ts";
import { Stranded } from "./stranded.ts";

export interface NewRollout {
  readonly name: string;
  readonly releaseVersion: string;
  readonly stages: readonly StageDefinition[];
  readonly definition: RolloutDefinition;
  readonly start: boolean;
  /** The rollout may begin where another open one brings the release to the same devices. */
  readonly beside: boolean;
  /** The rollout may leave devices out that no allowed step leads to the release. */
  readonly leaveBehind: boolean;
}

export type RolloutRefusal =
  | "unknown-release"
  | "unknown-rollout"
  | "stages-not-rising"
  | "filter-invalid"
  | "no-eligible-devices"
  | "strands-devices"
  | "overlaps"
  | "spelled-otherwise"
  | "too-many-rollouts"
  | "wrong-state"
  | "over-threshold"
  | "stage-not-empty";

export type RolloutResult =
  | { readonly ok: true; readonly rollout: Rollout }
  | { readonly ok: false; readonly reason: RolloutRefusal; readonly message: string };

/**
 * Devices handled at a time, within some milliseconds; in between, requests that need no writing
 * have their turn.
 */
const candidatesPerPage = 500;

/** Plans a rollout: every device that is eligible now gets its stage. Starts it when asked to. */
export async function createRollout(fleet: Fleet, asked: NewRollout): Promise<RolloutResult> {
  const stepImageIdMax = newestImageId(fleet.memory);
  const wanted = { ...asked, definition: { ...asked.definition, stepImageIdMax } };
  if (!areStagesRising(wanted.stages))
    return refuse("stages-not-rising", "each stage must have a higher percent than the one before");
  return fleet.database.write(async (unit) => {
    const release = fleet.memory.release(wanted.releaseVersion);
    if (release === null)
      return refuse(
        "unknown-release",
        `there is no release ${wanted.releaseVersion}; publish it first`,
      );
    await mustHaveFiles(fleet, release);
    if (fleet.memory.rollouts.size >= limits.rolloutsMax)
      return refuse("too-many-rollouts", `a server keeps at most ${limits.rolloutsMax} rollouts`);
    for (const id of wanted.definition.selector.devices ?? []) {
      const known = await findEntry(fleet, id, unit.db);
      const [knownAs] = known === null ? await listSpelledOtherwise(unit.db, id) : [];
      if (knownAs !== undefined)
        return refuse(
          "spelled-otherwise",
          `there is no device ${id}: ${knownAs} is the same id in another spelling, by which it is registered; use that one`,
        );
    }
    const { filter: text } = wanted.definition.selector;
    const parsed = text === undefined ? null : parseRolloutFilter(text);
    if (parsed !== null && !parsed.ok)
      return refuse(
        "filter-invalid",
        `the filter cannot be read, column ${parsed.defect.column}: ${parsed.defect.message}`,
      );
    const filter = parsed && { wanted: parsed.value, nowUnixMs: unit.nowUnixMs };
    const overlap = wanted.beside ? null : new Overlap(fleet.memory, release, unit.nowUnixMs);
    const devices = { release, definition: wanted.definition, overlap, filter };
    const { found, left, stranded, steps } = await eligibleDevices(unit.db, fleet, devices);
    const strands = stranded.refusal(release.version, wanted.definition.approved);
    if (strands !== null && !wanted.leaveBehind) return refuse("strands-devices", strands);
    if (found.length === 0)
      return refuse("no-eligible-devices", noDevicesText(release, wanted.definition, left));
    for (const { fileHash, fileBytes } of steps)
      await fleet.artifacts.mustHave(fileHash as DigestHex, fileBytes);
    const overlaps = overlap?.refusal ?? null;
    if (overlaps !== null) return refuse("overlaps", overlaps);
    const rollout = await plan(unit, fleet, wanted, release, found);
    if (!wanted.start) {
      unit.onCommit(() => fleet.memory.setRollout(rollout));
      return { ok: true, rollout };
    }
    return { ok: true, rollout: await open(unit, fleet, rollout) };
  });
}

/** Opens the first stage of a rollout that is ready. */
export function startRollout(fleet: Fleet, id: number): Promise<RolloutResult> {
  return onRollout(fleet, id, ["ready"], async (unit, rollout) => {
    const release = fleet.memory.releases.get(rollout.releaseId);
    if (release !== undefined) await mustHaveFiles(fleet, release);
    return { ok: true, rollout: await open(unit, fleet, rollout) };
  });
}

/** No device is sent for a file that is not here: throws `ArtifactMissingError`. */
async function mustHaveFiles(fleet: Fleet, release: Release): Promise<void> {
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
    const definition = {
      ...rollout.definition,
      control: acceptedControl(rollout),
      ...(haltThreshold === null ? {} : { halt: haltThreshold }),
    };
    const stages = await listStages(unit.db, id);
    for (const row of stages.slice(0, rollout.currentStage + 1)) {
      const halt = findHalt(countsOf(row), definition);
      if (halt !== null)
        return refuse(
          "over-threshold",
          `stage ${row.stage + 1} has ${halt.bad} of ${halt.outOf} devices over the ${halt.reason} limit of ` +
            `${halt.limit}; resume with a higher limit (--halt-share, --failed-share or --silent-share), or cancel`,
        );
    }
    await updateRollout(unit.db, id, { definition: JSON.stringify(definition), halt: null });
    const endedAtUnixMs = rollout.wasFinished ? (stages.at(-1)?.completed_at ?? null) : null;
    return change(
      unit,
      fleet,
      { ...rollout, definition, halt: null, endedAtUnixMs },
      { state: rollout.wasFinished ? "finished" : "running" },
    );
  });
}

/** Ends a rollout for good; actions of devices that do not run the release yet are taken back. */
export function cancelRollout(fleet: Fleet, id: number): Promise<RolloutResult> {
  const from = ["ready", "running", "paused", "halted", "finished"] as const;
  return onRollout(fleet, id, from, (unit, rollout) =>
    change(unit, fleet, { ...rollout, endedAtUnixMs: unit.nowUnixMs }, { state: "cancelled" }),
  );
}

/**
 * Goes on from a stage that lost its members before one of them proved anything. Any other stage
 * completes by itself, or says why it does not.
 */
export function advanceRollout(fleet: Fleet, id: number): Promise<RolloutResult> {
  return onRollout(fleet, id, ["running"], async (unit, rollout) => {
    const stages = await listStages(unit.db, id);
    const row = stages[rollout.currentStage];
    if (row === undefined) throw new Error(`rollout ${id} has no stage ${rollout.currentStage}`);
    const members = membersCount(countsOf(row));
    if (members > 0)
      return refuse(
        "stage-not-empty",
        `stage ${row.stage + 1} has ${members} devices and goes on by itself: "sluice rollout show ${id}" tells what it waits for; remove devices that are dead`,
      );
    return { ok: true, rollout: await completeStage(unit, fleet, { rollout, row, stages }) };
  });
}

async function completeStage(
  unit: UnitOfWork,
  fleet: Fleet,
  { rollout, row, stages }: { rollout: Rollout; row: StageRow; stages: readonly StageRow[] },
): Promise<Rollout> {
  const { nowUnixMs } = unit;
  await updateStage(unit.db, rollout.id, row.stage, { completed_at: nowUnixMs });
  await stageEvent(unit, rollout, "stage-completed", row, { by: "operator" });
  const next = stages[row.stage + 1];
  const after = await openNext(unit, rollout, { next, serviceMs: fleet.time.nowMs() });
  if (after.state !== rollout.state) await announce(unit, after);
  await updateRollout(unit.db, rollout.id, {
    state: after.state,
    current_stage: after.currentStage,
    ended_at: after.endedAtUnixMs,
  });
  unit.onCommit(() => fleet.memory.setRollout(after));
  return after;
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
  await updateRollout(unit.db, rollout.id, { state: next.state, ended_at: next.endedAtUnixMs });
  await addEvent(unit.db, { kind: `rollout-${next.state}`, rolloutId: rollout.id }, unit.nowUnixMs);
  unit.onCommit(() => fleet.memory.setRollout(next));
  return { ok: true, rollout: next };
}

async function open(unit: UnitOfWork, fleet: Fleet, rollout: Rollout): Promise<Rollout> {
  const { nowUnixMs } = unit;
  const next = { ...rollout, state: "running", startedAtUnixMs: nowUnixMs } as const;
  await updateRollout(unit.db, rollout.id, { state: "running", started_at: nowUnixMs });
  await updateStage(unit.db, rollout.id, 0, {
    opened_at: nowUnixMs,
    opened_service_ms: fleet.time.nowMs(),
  });
  await addEvent(unit.db, { kind: "rollout-started", rolloutId: rollout.id }, nowUnixMs);
  unit.onCommit(() => fleet.memory.setRollout(next));
  return next;
}

type CandidateRow = Awaited<ReturnType<typeof listCandidates>>[number];

interface Candidate {
  readonly deviceId: string;
}

interface Placed extends Candidate {
  readonly bucket: number;
}

function* pagesOf<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += candidatesPerPage)
    yield items.slice(from, from + candidatesPerPage);
}

async function eligibleDevices(
  db: Queries,
  fleet: Fleet,
  wanted: {
    readonly release: Release;
    readonly definition: RolloutDefinition;
    readonly overlap: Overlap | null;
    readonly filter: DeviceFilter["filter"] | null;
  },
): Promise<{
  found: Candidate[];
  left: ReadonlyMap<Ineligibility, number>;
  stranded: Stranded;
  /** What some of them are offered before the release. */
  steps: ReadonlySet<ReleaseFile>;
}> {
  const { release, definition, overlap, filter } = wanted;
  const left = new Map<Ineligibility, number>();
  const hardware =
    release.kind === "firmware"
      ? release.images.flatMap((image) => image.release.hardware ?? [image.hardware])
      : null;
  const refusals = await mapRefusals(db);
  const found: Candidate[] = [];
  const stranded = new Stranded();
  const steps = new Set<ReleaseFile>();
  const judge = alike((row, refusedImages) => {
    const image = imageFor(release, row.hardware);
    if (image === null) return "no-image";
    const next = nextOffered(fleet.memory, row, { image, definition, refusedImages });
    if (next.reason === null && next.image !== image) steps.add(next.image);
    return next.reason;
  });
  for (const one of hardware === null ? [null] : new Set(hardware)) {
    let after = "";
    for (;;) {
      // Bounded by the devices: every page begins after the last device of the one before.
      const page = await listCandidates(db, one, { after, limit: candidatesPerPage });
      const taken: Wanted[] = [];
      const ids = page.map(({ id }) => id);
      const passing = filter == null ? null : await listPassing(db, filter, ids);
      for (const row of page) {
        if (!selects(definition.selector, row)) continue;
        if (passing?.has(row.id) === false) {
          left.set("not-selected", (left.get("not-selected") ?? 0) + 1);
          continue;
        }
        const refusedImages = refusals.get(row.id) ?? nothing;
        const reason = judge(row, refusedImages);
        if (reason === "needs-stepping-stone") stranded.add(row);
        if (reason === null) taken.push({ row, refusedImages });
        else if (reason !== "no-image") left.set(reason, (left.get(reason) ?? 0) + 1);
      }
      for (const { row } of taken) found.push({ deviceId: row.id });
      await overlap?.add(db, taken);
      const last = page.at(-1);
      if (last === undefined || page.length < candidatesPerPage) break;
      after = last.id;
      await leaveTurn();
    }
  }
  return { found, left, stranded, steps };
}

/** Verdicts that are kept; most of a fleet runs one of a few releases. */
const verdictsMax = 1000;

/**
 * The same function, asked once for devices that are alike in all that it looks at but their names.
 */
function alike<Verdict>(
  judge: (row: CandidateRow, refusedImages: ReadonlySet<string>) => Verdict,
): (row: CandidateRow, refusedImages: ReadonlySet<string>) => Verdict {
  const verdicts = new Map<string, Verdict>();
  return (row, refusedImages) => {
    const { hardware, running_version, running_hash, configuration_version } = row;
    const facts = [hardware, running_version, running_hash, configuration_version];
    const key = JSON.stringify([...facts, ...refusedImages]);
    if (verdicts.has(key)) return verdicts.get(key) as Verdict;
    if (verdicts.size >= verdictsMax) verdicts.clear();
    const verdict = judge(row, refusedImages);
    verdicts.set(key, verdict);
    return verdict;
  };
}

const nothing: ReadonlySet<string> = new Set();

async function plan(
  unit: UnitOfWork,
  fleet: Fleet,
  wanted: NewRollout,
  release: Release,
  devices: readonly Candidate[],
): Promise<Rollout> {
  const row = await insertRollout(unit.db, {
    name: wanted.name,
    release_id: release.id,
    state: "ready",
    halt: null,
    current_stage: 0,
    definition: JSON.stringify({
      ...wanted.definition,
      imageIds: release.images.map(({ id }) => id),
    }),
    eligible: devices.length,
    created_at: unit.nowUnixMs,
    started_at: null,
    ended_at: null,
  });
  const salt = saltOf(row.id);
  const placed: Placed[] = [];
  for (const page of pagesOf(devices)) {
    for (const { deviceId } of page) placed.push({ deviceId, bucket: bucketOf(salt, deviceId) });
    await leaveTurn();
  }
  const cutoffs = stageCutoffs(
    wanted.stages,
    await sortBuckets(
      placed.map(({ bucket }) => bucket),
      leaveTurn,
    ),
  );
  for (const [stage, { percent, soakSeconds }] of wanted.stages.entries())
    await insertStage(unit.db, {
      rollout_id: row.id,
      stage,
      percent,
      soak_seconds: soakSeconds,
      cutoff: cutoffs[stage] ?? -1,
    });
  for (const page of pagesOf(placed)) {
    const members = page.flatMap(({ deviceId, bucket }) => {
      const stage = stageOf(bucket, cutoffs);
      return stage === null ? [] : [{ deviceId, bucket, stage }];
    });
    await insertMembers(unit.db, row.id, members, {
      unixMs: unit.nowUnixMs,
      serviceMs: fleet.time.nowMs(),
    });
    await leaveTurn();
  }
  await addEvent(
    unit.db,
    {
      kind: "rollout-created",
      rolloutId: row.id,
      releaseVersion: release.version,
      details: { name: wanted.name, eligible: devices.length },
    },
    unit.nowUnixMs,
  );
  return rolloutOfRow(row, await listStages(unit.db, row.id));
}

export function noDevicesText(
  release: Release,
  definition: RolloutDefinition,
  left: ReadonlyMap<Ineligibility, number>,
): string {
  const counts = [...left].map(([reason, count]) => `${count} ${reason}`).join(", ");
  const hints = [
    left.has("needs-approval") ? "; approve it to let devices take another major version" : "",
    left.has("rolled-back-before") ? "; clear it, or retry what was rolled back" : "",
  ];
  const hardware =
    release.kind === "firmware"
      ? `its images are for ${release.images.map((image) => image.hardware).join(", ")}`
      : "it is a configuration for any hardware";
  const narrowed = definition.selector.hardware?.join(", ") ?? "all of them";
  const filtered = definition.selector.filter === undefined ? "" : " that pass the filter";
  return (
    `no device may be offered release ${release.version}: ${hardware}, the selector takes ` +
    `${narrowed}${filtered}, and devices that run it, run a newer version or rolled it back are left out` +
    `${counts === "" ? "" : ` (${counts})`}${hints.join("")}`
  );
}

function refuse(
  reason: RolloutRefusal,
  message: string,
): { readonly ok: false; readonly reason: RolloutRefusal; readonly message: string } {
  return { ok: false, reason, message };
}
