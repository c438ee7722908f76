import type { MaintenanceWindows } from "../../../src/policy/windows.ts";
import type { Filter } from "../filter/filter.ts";
import { parseRolloutFilter } from "../filter/rollout-filter.ts";
import { shareCutoffs } from "../rollout/buckets.ts";
import {
  defaultActionSeconds,
  defaultCancelSeconds,
  defaultHaltThreshold,
  type RolloutDefinition,
} from "../rollout/definition.ts";
import { readInstallWindows } from "../rollout/install-windows.ts";
import type { Halt } from "../rollout/stage.ts";
import type { ImageRow, ReleaseRow } from "../storage/releases.ts";
import type { RolloutRow, StageRow } from "../storage/rollouts.ts";
import type { RolloutState } from "../storage/tables.ts";
import type { KnownDevices } from "./known-devices.ts";
import type { Plan } from "./plan.ts";
import {
  type Release,
  type ReleaseFile,
  releaseOfRow,
  withFile,
  withFilesThat,
} from "./releases.ts";

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
  readonly halt: (Halt & { readonly stage: number }) | null;
  readonly currentStage: number;
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
  /** The windows of the definition, read; null when devices may install at any time. */
  readonly windows: MaintenanceWindows | null;
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
  /** Rollouts whose windows were open when it was last looked. */
  readonly openWindows = new Set<number>();

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

  setRollout(rollout: Rollout): void {
    this.rollouts.set(rollout.id, rollout);
    this.plan.advance();
  }
}

/** What rollouts did before they could be asked to: nothing. */
const earlierDefinition = {
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

export function rolloutOfRow(row: RolloutRow, stages: readonly StageRow[]): Rollout {
  const stored = JSON.parse(row.definition);
  const halt = { ...defaultHaltThreshold, ...stored.halt };
  const definition: RolloutDefinition = { ...earlierDefinition, ...stored, halt };
  return {
    id: row.id,
    name: row.name,
    releaseId: row.release_id,
    state: row.state,
    halt: row.halt === null ? null : JSON.parse(row.halt),
    currentStage: row.current_stage,
    wasFinished: stages.at(-1)?.completed_at != null,
    cutoffs: stages.map(({ cutoff }) => cutoff),
    laterCutoffs: shareCutoffs(stages),
    definition,
    filter: filterOf(definition),
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

function windowsOf({ windows }: RolloutDefinition): MaintenanceWindows | null {
  if (windows === null) return null;
  const read = readInstallWindows(windows);
  if (!read.ok) throw new Error(`a stored rollout cannot be read: ${read.message}`);
  return read.windows;
}
