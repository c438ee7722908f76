import type { Filter } from "../filter/filter.ts";
import { filterOfStage, parseRolloutFilter } from "../filter/rollout-filter.ts";
import { shareCutoffs } from "../rollout/buckets.ts";
import { type RolloutDefinition, readDefinition } from "../rollout/definition.ts";
import { type Halt, readHalt } from "../rollout/halt.ts";
import type { StagePlan } from "../rollout/policy.ts";
import {
  type RolloutWindows,
  readGroupWindows,
  readRolloutWindows,
  type StepWindows,
} from "../rollout/windows-document.ts";
import type { ImageRow, ReleaseRow } from "../storage/releases.ts";
import type { RolloutRow, StageRow } from "../storage/rollouts.ts";
import type { RolloutState } from "../storage/tables.ts";
import type { GroupWindowsRow } from "../storage/windows.ts";
import type { KnownDevices } from "./known-devices.ts";
import type { Plan } from "./plan.ts";
import {
  type Release,
  type ReleaseFile,
  releaseOfRow,
  withFile,
  withFilesThat,
} from "./releases.ts";
import { Ways } from "./ways.ts";

/**
 * The release as it was when the rollout was planned: what was published into it since begins with
 * a rollout of its own.
 */
export function plannedImages(
  release: Release,
  { definition, createdAtUnixMs }: Pick<Rollout, "definition" | "createdAtUnixMs">,
): Release {
  const { imageIds } = definition;
  return withFilesThat(release, (file) =>
    imageIds === null ? file.createdAtUnixMs <= createdAtUnixMs : imageIds.includes(file.id),
  );
}

export interface Rollout {
  readonly id: number;
  readonly name: string;
  readonly releaseId: number;
  readonly state: RolloutState;
  readonly halt: Halt | null;
  /** Service time since when the rule that stopped it is kept again; null while it is not. */
  readonly keptSinceMs: number | null;
  readonly currentStage: number;
  /** Why its stage did not go on when that was decided last; null when that is to be looked up. */
  readonly heldAs: string | null;
  /**
   * The last stage was complete: whatever became of the rollout since, it takes nobody in and goes
   * on as finished.
   */
  readonly wasFinished: boolean;
  /** Highest bucket of each stage. */
  readonly cutoffs: readonly number[];
  /** The same for devices that come later. */
  readonly laterCutoffs: readonly number[];
  readonly definition: RolloutDefinition;
  /** The filter of the selector, read; null when there is none. */
  readonly filter: Filter | null;
  /** What a device must pass to be of each stage, its group included; null of one for all. */
  readonly stageFilters: readonly (Filter | null)[];
  /** The windows of the definition, read; null when it has none. */
  readonly windows: RolloutWindows | null;
  readonly eligible: number;
  readonly createdAtUnixMs: number;
  readonly startedAtUnixMs: number | null;
  readonly endedAtUnixMs: number | null;
  /** Service time. Since when its rate grows; null while it offers nothing. */
  readonly rateSinceMs: number | null;
}

/** Everything that the server knows without asking the database. */
export class FleetMemory {
  readonly devices: KnownDevices;
  readonly plan: Plan;
  readonly releases = new Map<number, Release>();
  readonly images = new Map<number, ReleaseFile>();
  readonly rollouts = new Map<number, Rollout>();
  private readonly hashes = new Map<string, ReleaseFile>();
  readonly ways = new Ways();
  /** The windows of groups, which every rollout respects. */
  readonly groupWindows = new Map<string, StepWindows>();

  constructor(devices: KnownDevices, plan: Plan) {
    this.devices = devices;
    this.plan = plan;
  }

  release(version: string): Release | null {
    for (const release of this.releases.values()) if (release.version === version) return release;
    return null;
  }

  imageOfHash(imageHash: string): ReleaseFile | null {
    return this.hashes.get(imageHash) ?? null;
  }

  setRelease(row: ReleaseRow): void {
    this.releases.set(row.id, releaseOfRow(row, this.releases.get(row.id)));
  }

  addImage(row: ImageRow): ReleaseFile {
    const known = this.releases.get(row.release_id);
    if (known === undefined) throw new Error(`image ${row.id} has no release`);
    const { release, file } = withFile(known, row);
    this.images.set(file.id, file);
    this.hashes.set(file.imageHash, file);
    this.releases.set(release.id, release);
    return file;
  }

  /** Null takes them away. */
  setGroupWindows(group: string, windows: StepWindows | null): void {
    if (windows === null) this.groupWindows.delete(group);
    else this.groupWindows.set(group, windows);
    this.plan.advance();
  }

  /** Another rollout than it was makes another plan. */
  setRollout(rollout: Rollout, { isAnother } = { isAnother: true }): void {
    this.rollouts.set(rollout.id, rollout);
    if (isAnother) this.plan.advance();
  }
}

export function rolloutOfRow(row: RolloutRow, stages: readonly StageRow[]): Rollout {
  const told = stages.map(({ percent, soak_seconds: soakSeconds }) => ({ percent, soakSeconds }));
  const definition = readDefinition(row.definition, told);
  const cutoffs = stages.map(({ cutoff }) => cutoff);
  return {
    id: row.id,
    name: row.name,
    releaseId: row.release_id,
    state: row.state,
    halt: row.halt === null ? null : readHalt(row.halt),
    keptSinceMs: row.kept_since_service_ms,
    currentStage: row.current_stage,
    heldAs: null,
    wasFinished: stages.at(-1)?.completed_at != null,
    cutoffs,
    laterCutoffs: shareCutoffs(definition.stages, cutoffs),
    definition,
    filter: filterOf(definition),
    stageFilters: definition.stages.map(stageFilterOf),
    windows: windowsOf(definition),
    eligible: row.eligible,
    createdAtUnixMs: row.created_at,
    startedAtUnixMs: row.started_at,
    endedAtUnixMs: row.ended_at,
    rateSinceMs: row.rate_since_service_ms,
  };
}

function filterOf({ selector }: RolloutDefinition): Filter | null {
  if (selector.filter === undefined) return null;
  const read = parseRolloutFilter(selector.filter);
  if (!read.ok) throw new Error(`a stored rollout cannot be read: ${read.defect.message}`);
  return read.value;
}

function stageFilterOf(stage: StagePlan): Filter | null {
  const read = filterOfStage(stage);
  if (!read.ok) throw new Error(`a stored rollout cannot be read: ${read.defect.message}`);
  return read.value;
}

function windowsOf({ windows }: RolloutDefinition): RolloutWindows | null {
  if (windows === null) return null;
  const read = readRolloutWindows(windows);
  if (!read.ok) throw new Error(`a stored rollout cannot be read: ${read.message}`);
  return read.windows;
}

export function stepWindowsOfRow({ device_group: group, document }: GroupWindowsRow): StepWindows {
  const read = readGroupWindows(JSON.parse(document));
  if (!read.ok) throw new Error(`the stored windows of ${group} cannot be read: ${read.message}`);
  return read.windows;
}
