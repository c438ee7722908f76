import type { DigestHex } from "../../../src/protocol/digest.ts";
import { filterOfStage, parseRolloutFilter } from "../filter/rollout-filter.ts";
import { bucketOf, stageOf } from "../rollout/buckets.ts";
import { type RolloutDefinition, selects } from "../rollout/definition.ts";
import type { Ineligibility } from "../rollout/eligibility.ts";
import { findPolicyDefect } from "../rollout/policy.ts";
import type { Queries, UnitOfWork } from "../storage/database.ts";
import {
  type DeviceFilter,
  listCandidates,
  listPassing,
  listSpelledOtherwise,
  mapRefusals,
} from "../storage/devices.ts";
import { addEvent } from "../storage/events.ts";
import { insertMembers, insertRollout, insertStage, listStages } from "../storage/rollouts.ts";
import { limits } from "../terms/limits.ts";
import { leaveTurn } from "../time/slices.ts";
import { mustHaveFiles, openRollout } from "./change-rollout.ts";
import { findEntry } from "./contact.ts";
import { saltOf } from "./decide.ts";
import { decided } from "./decisions.ts";
import { newestImageId, nextOffered } from "./eligible.ts";
import type { Fleet } from "./fleet.ts";
import { type Rollout, rolloutOfRow } from "./memory.ts";
import { Overlap, type Wanted } from "./overlap.ts";
import { imageFor, type Release, type ReleaseFile } from "./releases.ts";
import { type RolloutResult, refuse } from "./rollout-result.ts";
import {
  type Candidate,
  candidatesPerPage,
  cutoffsOf,
  devicesOfStages,
  type Placed,
  pagesOf,
  percentOf,
  type Taking,
  whyNoStageGuards,
} from "./stage-places.ts";
import { Stranded } from "./stranded.ts";

export interface NewRollout {
  readonly name: string;
  readonly releaseVersion: string;
  readonly definition: RolloutDefinition;
  readonly start: boolean;
  /** The rollout may begin where another open one brings the release to the same devices. */
  readonly beside: boolean;
  /** The rollout may leave devices out that no allowed step leads to the release. */
  readonly leaveBehind: boolean;
}

/** Plans a rollout: every device that is eligible now gets its stage. Starts it when asked to. */
export async function createRollout(fleet: Fleet, asked: NewRollout): Promise<RolloutResult> {
  const stepImageIdMax = newestImageId(fleet.memory);
  const wanted = { ...asked, definition: { ...asked.definition, stepImageIdMax } };
  const policyDefect = findPolicyDefect(wanted.definition);
  if (policyDefect !== null)
    return refuse("policy-invalid", `${policyDefect.path}: ${policyDefect.rule}`);
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
    for (const [index, stage] of wanted.definition.stages.entries()) {
      const read = filterOfStage(stage);
      if (!read.ok)
        return refuse(
          "filter-invalid",
          `stages.${index}.filter cannot be read, column ${read.defect.column}: ${read.defect.message}`,
        );
    }
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
    const { stages } = wanted.definition;
    const taking = await devicesOfStages(unit, stages, found);
    const emptyText = whyNoStageGuards(stages, taking);
    if (emptyText !== null) return refuse("stage-holds-nobody", emptyText);
    const rollout = await plan(unit, fleet, { wanted, release, devices: found, taking });
    if (!wanted.start) {
      unit.onCommit(() => fleet.memory.setRollout(rollout));
      return { ok: true, rollout };
    }
    return { ok: true, rollout: await openRollout(unit, fleet, rollout) };
  });
}

type CandidateRow = Awaited<ReturnType<typeof listCandidates>>[number];

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
  what: {
    readonly wanted: NewRollout;
    readonly release: Release;
    readonly devices: readonly Candidate[];
    readonly taking: Taking;
  },
): Promise<Rollout> {
  const { wanted, release, devices, taking } = what;
  const { stages } = wanted.definition;
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
  const placed: Placed[] = [];
  for (const page of pagesOf(devices)) {
    for (const { deviceId } of page)
      placed.push({ deviceId, bucket: bucketOf(saltOf(row.id), deviceId) });
    await leaveTurn();
  }
  const cutoffs = await cutoffsOf(stages, placed, taking);
  for (const [stage, plan] of stages.entries())
    await insertStage(unit.db, {
      rollout_id: row.id,
      stage,
      percent: percentOf(plan, { taking: taking[stage] ?? null, eligible: devices.length }),
      soak_seconds: plan.soakSeconds,
      cutoff: cutoffs[stage] ?? -1,
    });
  for (const page of pagesOf(placed)) {
    const members = page.flatMap(({ deviceId, bucket }) => {
      const stage = stageOf(bucket, cutoffs, (index) => taking[index]?.has(deviceId) ?? true);
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
  const rows = await listStages(unit.db, row.id);
  const { policy } = wanted.definition;
  const sizes = rows.map(({ joined }) => joined).join(", ");
  const by = policy === null ? "" : `, policy ${policy.name} version ${policy.version}`;
  await decided(unit, row, {
    stage: 0,
    kind: "created",
    sentence: `${devices.length} devices are eligible, stages of ${sizes}${by}`,
    inputs: { eligible: devices.length, stages: rows.map(({ joined }) => joined), policy },
  });
  return rolloutOfRow(row, rows);
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
