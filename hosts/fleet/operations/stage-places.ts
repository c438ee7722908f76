import type { Filter } from "../filter/filter.ts";
import { filterOfStage } from "../filter/rollout-filter.ts";
import { sortBuckets, stageCutoffs } from "../rollout/buckets.ts";
import type { StagePlan } from "../rollout/policy.ts";
import type { UnitOfWork } from "../storage/database.ts";
import { listPassing } from "../storage/devices.ts";
import { leaveTurn } from "../time/slices.ts";

/**
 * Devices handled at a time, within some milliseconds; in between, requests that need no writing
 * have their turn.
 */
export const candidatesPerPage = 500;

export interface Candidate {
  readonly deviceId: string;
}

export interface Placed extends Candidate {
  readonly bucket: number;
}

export function* pagesOf<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < items.length; from += candidatesPerPage)
    yield items.slice(from, from + candidatesPerPage);
}

/** Who passes the filter of each stage; null where it has none. */
export type Taking = readonly (ReadonlySet<string> | null)[];

export async function devicesOfStages(
  unit: UnitOfWork,
  stages: readonly StagePlan[],
  devices: readonly Candidate[],
): Promise<Taking> {
  const taking: (ReadonlySet<string> | null)[] = [];
  for (const stage of stages) {
    const read = filterOfStage(stage);
    const wanted: Filter | null = read.ok ? read.value : null;
    if (wanted === null) {
      taking.push(null);
      continue;
    }
    const found = new Set<string>();
    for (const page of pagesOf(devices)) {
      const ids = page.map(({ deviceId }) => deviceId);
      for (const id of await listPassing(unit.db, { wanted, nowUnixMs: unit.nowUnixMs }, ids))
        found.add(id);
      await leaveTurn();
    }
    taking.push(found);
  }
  return taking;
}

/**
 * Stages that hold nobody are passed over; where those of the groups and filters all are, nobody
 * would try the release before the others.
 */
export function whyNoStageGuards(
  stages: readonly StagePlan[],
  taking: readonly ({ readonly size: number } | null)[],
): string | null {
  const narrow = taking.filter((ids) => ids !== null);
  if (narrow.length === 0 || narrow.some(({ size }) => size > 0)) return null;
  const names = stages.flatMap(({ group, filter }, index) =>
    taking[index] === null ? [] : [group === undefined ? `"${filter}"` : `group ${group}`],
  );
  return (
    `no device is in ${names.join(", ")}: put devices into a group first, ` +
    '"sluice device set ID --add-group NAME", or choose another policy'
  );
}

export async function cutoffsOf(
  stages: readonly StagePlan[],
  placed: readonly Placed[],
  taking: Taking,
): Promise<number[]> {
  const sorted = new Map<ReadonlySet<string> | null, Float64Array>();
  for (const ids of new Set(taking)) {
    const buckets = placed.filter(({ deviceId }) => ids?.has(deviceId) ?? true);
    const values = buckets.map(({ bucket }) => bucket);
    sorted.set(ids, await sortBuckets(values, leaveTurn));
  }
  return stageCutoffs(stages, (stage) => sorted.get(taking[stage] ?? null) ?? []);
}

/** The share of the eligible devices that a stage of another size comes to. */
export function percentOf(
  { percent, count, group }: StagePlan,
  { taking, eligible }: { readonly taking: ReadonlySet<string> | null; readonly eligible: number },
): number {
  if (percent !== undefined) return percent;
  const devices = group === undefined ? Math.min(count ?? 0, eligible) : (taking?.size ?? 0);
  return Math.round((devices / eligible) * 1000) / 10;
}
