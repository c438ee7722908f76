import type { MaintenanceWindows } from "../../../src/policy/windows.ts";
import { shareCutoffs } from "../rollout/buckets.ts";
import {
  defaultActionSeconds,
  defaultCancelSeconds,
  defaultHaltThreshold,
  type RolloutDefinition,
} from "../rollout/definition.ts";
import { readInstallWindows } from "../rollout/install-windows.ts";
import type { Halt } from "../rollout/stage.ts";
import type { ActionRow } from "../storage/actions.ts";
import type { DeviceRow } from "../storage/devices.ts";
import type { ImageRow, ReleaseRow } from "../storage/releases.ts";
import type { RolloutRow, StageRow } from "../storage/rollouts.ts";
import type { RolloutState } from "../storage/tables.ts";
import type { DeviceId } from "../terms/names.ts";
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
  /** The windows of the definition, read; null when devices may install at any time. */
  readonly windows: MaintenanceWindows | null;
  readonly eligible: number;
  readonly createdAtUnixMs: number;
  readonly startedAtUnixMs: number | null;
  readonly endedAtUnixMs: number | null;
}

/** What a base poll tells the device to do now. */
export type Instruction =
  | { readonly kind: "none" }
  | {
      readonly kind: "install";
      readonly actionId: number;
      readonly etag: number;
      /** What DDI's `maintenanceWindow` says; null for a rollout without windows. */
      readonly windowOpen: boolean | null;
    }
  | { readonly kind: "confirm"; readonly actionId: number; readonly etag: number }
  | { readonly kind: "cancel"; readonly actionId: number };

/**
 * A device as the server keeps it in memory. Everything but the last contact is also in the
 * database and changes only when a unit of work is durable, so an idle poll needs no SQL.
 */
export interface DeviceEntry {
  readonly id: DeviceId;
  row: DeviceRow;
  action: ActionRow | null;
  instruction: Instruction;
  /**
   * The plan that `instruction` was decided under; another number means that it must be decided
   * again.
   */
  decidedPlan: number;
  /** The last `Sluice-Running` header as it came, to see at a glance that nothing changed. */
  runningHeader: string | null;
  lastSeenAtUnixMs: number | null;
  /** The mark of the network that it came from last with its own token. */
  knownFrom: number | null;
  /** The answer to a base poll, for the links' base that it was written for. */
  pollAnswer: { readonly baseUrl: string; readonly body: string; readonly etag: string } | null;
}

/** No plan: what was decided under it must be decided again. */
export const undecided = -1;

/** Everything that the server knows without asking the database. */
export class FleetMemory {
  readonly devices = new Map<DeviceId, DeviceEntry>();
  /** Devices whose last contact is due to be written. */
  readonly unwrittenContacts = new Set<DeviceEntry>();
  readonly releases = new Map<number, Release>();
  readonly images = new Map<number, ReleaseFile>();
  readonly rollouts = new Map<number, Rollout>();
  private readonly hashes = new Map<string, ReleaseFile>();
  devicesCount = 0;
  /** Rollouts whose windows were open when it was last looked. */
  readonly openWindows = new Set<number>();
  /**
   * Grows with every change of a rollout, so that each device's instruction is decided again at its
   * next poll.
   */
  planVersion = 0;

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
    this.planVersion += 1;
  }
}

/** A device as it comes from the database, its instruction not decided yet. */
export function newEntry(row: DeviceRow, action: ActionRow | null): DeviceEntry {
  return {
    id: row.id as DeviceId,
    row,
    action,
    instruction: { kind: "none" },
    decidedPlan: undecided,
    runningHeader: null,
    lastSeenAtUnixMs: row.last_seen_at,
    knownFrom: row.known_from,
    pollAnswer: null,
  };
}

/** What rollouts did before they could be asked to: nothing. */
const earlierDefinition = {
  approved: false,
  retryRolledBack: false,
  windows: null,
  actionSeconds: defaultActionSeconds,
  cancelSeconds: defaultCancelSeconds,
  imageIds: null,
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
    windows: windowsOf(definition),
    eligible: row.eligible,
    createdAtUnixMs: row.created_at,
    startedAtUnixMs: row.started_at,
    endedAtUnixMs: row.ended_at,
  };
}

function windowsOf({ windows }: RolloutDefinition): MaintenanceWindows | null {
  if (windows === null) return null;
  const read = readInstallWindows(windows);
  if (!read.ok) throw new Error(`a stored rollout cannot be read: ${read.message}`);
  return read.windows;
}
