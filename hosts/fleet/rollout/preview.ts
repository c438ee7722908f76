import type { Ineligibility } from "./eligibility.ts";
import type { Advance } from "./policy.ts";
import { type RolloutOdds, rolloutOdds, type StopRule } from "./stop-odds.ts";

/** Devices that are alike in all that a plan looks at. */
export interface PreviewGroup {
  readonly hardware: string | null;
  readonly version: string | null;
  readonly region: string | null;
  readonly timeZone: string | null;
  /** For each stage whether these devices pass its filter. */
  readonly passes: readonly boolean[];
  readonly count: number;
  /** What the first ones are known by; told in their order. */
  readonly rows: readonly number[];
  /** The images that they are offered one after another, or why they are left out. */
  readonly way:
    | { readonly ok: true; readonly images: readonly PreviewImage[] }
    | { readonly ok: false; readonly reason: Ineligibility };
}

interface PreviewImage {
  readonly version: string;
  readonly fileBytes: number;
}

/** What a stage holds, those before it included: a share, a number, or all that pass its filter. */
export interface PreviewStage {
  readonly percent?: number;
  readonly count?: number;
  readonly soakSeconds: number;
  readonly advance: Advance;
}

export interface PreviewRules {
  readonly stages: readonly PreviewStage[];
  readonly stop: StopRule;
  /** Until every device has asked once. */
  readonly pollSeconds: number;
  /** What so many offers take that begin so long after the start. */
  offerSeconds(devices: number, sinceSeconds: number): number;
}

export interface Share {
  readonly name: string | null;
  readonly devices: number;
}

/** The names with the most devices, and what the others have together. */
export interface Shares {
  readonly most: readonly Share[];
  readonly otherNames: number;
  readonly otherDevices: number;
}

export interface StagePreview {
  readonly devices: number;
  /** Somebody has to let it go on, which nobody knows the time of. */
  readonly waitsForPeople: boolean;
  readonly soakSeconds: number;
  /** From the start of the rollout, if nothing holds it. */
  readonly endsAfterSeconds: number;
}

export interface FleetPreview {
  readonly devices: number;
  readonly rows: readonly number[];
  readonly versions: Shares;
  readonly hardware: Shares;
  readonly regions: Shares;
  readonly timeZones: Shares;
  readonly left: readonly {
    readonly reason: Ineligibility;
    readonly devices: number;
    readonly rows: readonly number[];
  }[];
  /** Stepping stones, with the devices that go over them. */
  readonly steps: Shares;
  readonly bytes: number;
  readonly stages: readonly StagePreview[];
  /** Selected devices that no stage holds. */
  readonly beyondStages: number;
  readonly seconds: number;
  readonly odds: readonly RolloutOdds[];
}

const namesMax = 50;
const firstMax = 10;
const examplesMax = 5;
const defectRates: readonly number[] = [0.01, 0.02, 0.05, 0.1, 0.2];

/** What a rollout would do to the devices that these groups are. */
export function previewOf(groups: readonly PreviewGroup[], rules: PreviewRules): FleetPreview {
  const eligible: EligibleGroup[] = [];
  const left = new Map<Ineligibility, PreviewGroup[]>();
  for (const group of groups) {
    if (group.count === 0) continue;
    const { way } = group;
    if (way.ok) eligible.push({ ...group, images: way.images });
    else left.set(way.reason, [...(left.get(way.reason) ?? []), group]);
  }
  const devices = countOf(eligible);
  const sizes = stageSizes(rules.stages, eligible);
  const stages = stagesOf(
    sizes,
    rules,
    Math.max(1, ...eligible.map(({ images }) => images.length)),
  );
  const by = (name: (group: EligibleGroup) => string | null): Shares =>
    sharesOf(eligible.map((group) => [name(group), group.count]));
  return {
    devices,
    rows: firstOf(eligible, firstMax),
    versions: by(({ version }) => version),
    hardware: by(({ hardware }) => hardware),
    regions: by(({ region }) => region),
    timeZones: by(({ timeZone }) => timeZone),
    left: [...left]
      .map(([reason, of]) => ({ reason, devices: countOf(of), rows: firstOf(of, examplesMax) }))
      .sort((a, b) => b.devices - a.devices || (a.reason < b.reason ? -1 : 1)),
    steps: sharesOf(
      eligible.flatMap(({ images, count }) =>
        images.slice(0, -1).map(({ version }) => [version, count] as const),
      ),
    ),
    bytes: eligible.reduce((sum, { images, count }) => sum + count * bytesOf(images), 0),
    stages,
    beyondStages: devices - sizes.reduce((sum, size) => sum + size, 0),
    seconds: stages.at(-1)?.endsAfterSeconds ?? 0,
    odds: defectRates.map((rate) => rolloutOdds(sizes, rules.stop, rate)),
  };
}

interface EligibleGroup extends Omit<PreviewGroup, "way"> {
  readonly images: readonly PreviewImage[];
}

/**
 * How many devices come into each stage: the first one whose filter they pass and whose share of
 * the buckets theirs is in. Of stages with filters that overlap these are what to expect, since
 * only the hash of each device tells; of all others they are exact.
 */
function stageSizes(
  stages: readonly Pick<PreviewStage, "percent" | "count">[],
  groups: readonly { readonly passes: readonly boolean[]; readonly count: number }[],
): number[] {
  const masks = new Map<string, { passes: readonly boolean[]; count: number; taken: number }>();
  for (const { passes, count } of groups) {
    const key = passes.map(Number).join("");
    const known = masks.get(key);
    if (known === undefined) masks.set(key, { passes, count, taken: 0 });
    else known.count += count;
  }
  const held: number[] = [];
  let before = 0;
  for (const [index, stage] of stages.entries()) {
    const passing = [...masks.values()].filter(({ passes }) => passes[index] ?? true);
    const wanted = wantedOf(stage, countOf(passing));
    let expected = 0;
    for (const mask of passing) {
      const share = Math.max(mask.taken, wanted / Math.max(1, countOf(passing)));
      expected += (share - mask.taken) * mask.count;
      mask.taken = share;
    }
    // Rounded as a sum: what is left over of one stage comes into the next one.
    held.push(Math.round(before + expected) - Math.round(before));
    before += expected;
  }
  return held;
}

/** At least one, and no more than there are. */
function wantedOf(
  { percent = 100, count }: Pick<PreviewStage, "percent" | "count">,
  of: number,
): number {
  // The subtrahend keeps 0.57 * 100 from becoming 58 through its rounding error.
  return Math.min(of, Math.max(1, count ?? Math.ceil((percent * of) / 100 - 1e-9)));
}

/** `hops`: the installations of the longest way. */
function stagesOf(sizes: readonly number[], rules: PreviewRules, hops: number): StagePreview[] {
  let seconds = 0;
  return rules.stages.map(({ soakSeconds, advance }, index) => {
    const devices = sizes[index] ?? 0;
    if (devices > 0)
      seconds += Math.ceil(
        hops * Math.max(rules.pollSeconds, rules.offerSeconds(devices, seconds)) + soakSeconds,
      );
    const waitsForPeople = advance !== "automatic";
    return { devices, soakSeconds, waitsForPeople, endsAfterSeconds: seconds };
  });
}

function sharesOf(counted: readonly (readonly [string | null, number])[]): Shares {
  const counts = new Map<string | null, number>();
  for (const [name, devices] of counted) counts.set(name, (counts.get(name) ?? 0) + devices);
  const all = [...counts].map(([name, devices]) => ({ name, devices }));
  all.sort((a, b) => b.devices - a.devices || ((a.name ?? "") < (b.name ?? "") ? -1 : 1));
  const others = all.slice(namesMax);
  return {
    most: all.slice(0, namesMax),
    otherNames: others.length,
    otherDevices: others.reduce((sum, { devices }) => sum + devices, 0),
  };
}

function firstOf(groups: readonly { readonly rows: readonly number[] }[], max: number): number[] {
  const rows = groups.flatMap((group) => group.rows.slice(0, max));
  return rows.sort((a, b) => a - b).slice(0, max);
}

function countOf(groups: readonly { readonly count: number }[]): number {
  return groups.reduce((sum, { count }) => sum + count, 0);
}

function bytesOf(images: readonly PreviewImage[]): number {
  return images.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
}
