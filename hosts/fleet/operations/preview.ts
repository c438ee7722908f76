import { createHash } from "node:crypto";
import { wholeServer } from "../admission/limits.ts";
import type { Filter } from "../filter/filter.ts";
import { filterOfStage, parseRolloutFilter } from "../filter/rollout-filter.ts";
import type { FilterDefect } from "../filter/syntax.ts";
import type { RolloutDefinition } from "../rollout/definition.ts";
import type { Ineligibility } from "../rollout/eligibility.ts";
import { findPolicyDefect } from "../rollout/policy.ts";
import { type FleetPreview, type PreviewGroup, previewOf } from "../rollout/preview.ts";
import { type OfferRate, offerSeconds } from "../rollout/rate.ts";
import type { StopRule } from "../rollout/stop-odds.ts";
import { type LastOpening, lastWindowOpens, nextOpeningOf } from "../rollout/window-verdict.ts";
import { readRolloutWindows } from "../rollout/windows-document.ts";
import { readAdmissionLimits } from "../storage/admission-limits.ts";
import type { Queries } from "../storage/database.ts";
import {
  type DeviceGroup,
  type DeviceSelection,
  factsOfKey,
  type GroupFacts,
  type GroupTally,
  groupKeys,
  idsOfRows,
  refusingDevices,
  TooManyGroupsError,
} from "../storage/device-groups.ts";
import { countDevices } from "../storage/devices.ts";
import { newestImageId, wayOffered } from "./eligible.ts";
import type { FleetMemory } from "./memory.ts";
import { type Judge, type Problem, problemsOf } from "./preview-problems.ts";
import { imageFor, type Release } from "./releases.ts";
import type { NewRollout } from "./rollouts.ts";

export interface RolloutPreview extends Omit<FleetPreview, "rows" | "left"> {
  readonly releaseVersion: string;
  /** The first devices, by when they were registered. */
  readonly first: readonly string[];
  readonly left: readonly {
    readonly reason: Ineligibility;
    readonly devices: number;
    readonly examples: readonly string[];
  }[];
  readonly stop: StopRule;
  /** When the windows of the rollout open next; null when they are open, or there are none. */
  readonly windowOpensAtUnixMs: number | null;
  /** When the windows will have come, by the rollout's own; null when it has none. */
  readonly windows: LastOpening | null;
  /** What would be in the way of the rollout, with the next step. */
  readonly problems: readonly Problem[];
  /** SHA-256 of what was asked and what was found; the same while nothing of both changes. */
  readonly digest: string;
}

export type PreviewResult =
  | { readonly ok: true; readonly preview: RolloutPreview }
  | { readonly ok: false; readonly reason: PreviewRefusal; readonly message: string };

export type PreviewRefusal =
  | "unknown-release"
  | "policy-invalid"
  | "filter-invalid"
  | "too-many-groups";

export interface PreviewQuestion {
  readonly wanted: NewRollout;
  readonly nowUnixMs: number;
  readonly pollSeconds: number;
}

/** Counts what a query of `groupKeys` answers. */
export type Tally = (query: ReturnType<typeof groupKeys>) => Promise<GroupTally>;

/** What a rollout would do, without doing it: one pass over the devices. */
export async function previewRollout(
  { db, memory, tally }: { db: Queries; memory: FleetMemory; tally: Tally },
  { wanted, nowUnixMs, pollSeconds }: PreviewQuestion,
): Promise<PreviewResult> {
  const release = memory.release(wanted.releaseVersion);
  if (release === null) {
    const message = `there is no release ${wanted.releaseVersion}; publish it first`;
    return { ok: false, reason: "unknown-release", message };
  }
  const defect = findPolicyDefect(wanted.definition);
  if (defect !== null)
    return { ok: false, reason: "policy-invalid", message: `${defect.path}: ${defect.rule}` };
  const read = filtersOf(wanted);
  if (!read.ok) return read;
  const { selector } = wanted.definition;
  const selection: DeviceSelection = {
    hardware: selector.hardware ?? null,
    devices: selector.devices ?? null,
    filter: read.filter,
    nowUnixMs,
    apart: read.stageFilters,
  };
  const definition = { ...wanted.definition, stepImageIdMax: newestImageId(memory) };
  const judge = judgeOf(memory, release, { ...wanted, definition });
  try {
    const { groups } = await tally(groupKeys(db, selection));
    const refusing = await refusingDevices(db, selection).execute();
    const judged = judgedGroups(groups, refusing, judge);
    const selected = judged.reduce((sum, { count }) => sum + count, 0);
    judged.push(unselected((await countDevices(db)) - selected));
    const stop = stopRuleOf(definition);
    const serverRate = await serverRateOf(db);
    const found = previewOf(judged, {
      stages: definition.stages,
      stop,
      pollSeconds,
      offerSeconds: (devices, since) =>
        Math.max(
          offerSeconds(definition.rate, devices, since),
          offerSeconds(serverRate, devices, since),
        ),
    });
    const sight = { wanted: { ...wanted, definition }, release, selection, found, judged };
    const problems = await problemsOf({ db, memory }, { ...sight, judge });
    const windows = outlookOf(wanted, judged, nowUnixMs);
    const preview = { ...found, stop, problems, windows, releaseVersion: release.version };
    return { ok: true, preview: await told(db, preview, { wanted, release, nowUnixMs }) };
  } catch (error) {
    if (!(error instanceof TooManyGroupsError)) throw error;
    const message = `${error.message}; look at a part of them (--filter, --hardware)`;
    return { ok: false, reason: "too-many-groups", message };
  }
}

interface RolloutFilters {
  readonly filter: Filter | null;
  /** What a device must pass to be of each stage; null of one for all. */
  readonly stageFilters: readonly (Filter | null)[];
}

function filtersOf({
  definition: { selector, stages },
}: NewRollout): ({ ok: true } & RolloutFilters) | (PreviewResult & { ok: false }) {
  const unreadable = (what: string, { column, message }: FilterDefect) =>
    ({
      ok: false,
      reason: "filter-invalid",
      message: `${what} cannot be read, column ${column}: ${message}`,
    }) as const;
  const parsed = selector.filter === undefined ? null : parseRolloutFilter(selector.filter);
  if (parsed?.ok === false) return unreadable("the filter", parsed.defect);
  const stageFilters: (Filter | null)[] = [];
  for (const [index, stage] of stages.entries()) {
    const read = filterOfStage(stage);
    if (!read.ok) return unreadable(`stages.${index}.filter`, read.defect);
    stageFilters.push(read.value);
  }
  return { ok: true, filter: parsed?.value ?? null, stageFilters };
}

/** What the whole server offers, of all rollouts together; regions may have less. */
async function serverRateOf(db: Queries): Promise<OfferRate | null> {
  const limits = await readAdmissionLimits(db);
  const offersPerMinute = limits.get(wholeServer)?.offersPerMinute ?? null;
  if (offersPerMinute === null) return null;
  return { offersPerMinute, growthPerHour: 1, offersPerMinuteMax: offersPerMinute };
}

/** The strictest rule that stops the rollout for devices that roll back; none is never broken. */
function stopRuleOf({ abort, confidence }: RolloutDefinition): StopRule {
  const rules = abort.filter(
    ({ metric, action }) => metric === "rolled-back" && action !== "notify",
  );
  const strictest = rules.toSorted((a, b) => a.share - b.share)[0];
  return { limit: strictest?.share ?? 1, confidence, sampleMin: strictest?.minSample ?? 1 };
}

function judgeOf(memory: FleetMemory, release: Release, { definition }: NewRollout): Judge {
  return (facts, refusedImages) => {
    const image = imageFor(release, facts.hardware);
    if (image === null) return { ok: false, reason: "other-hardware" };
    const device = {
      id: "",
      hardware: facts.hardware,
      running_version: facts.runningVersion,
      running_hash: facts.runningHash,
      configuration_version: facts.configurationVersion,
    };
    return wayOffered(memory, device, { image, definition, refusedImages });
  };
}

interface RefusingRow {
  readonly key: string;
  readonly row: number;
  readonly refused: string;
}

const nothing: ReadonlySet<string> = new Set();

/** Devices that refuse images are groups of their own: what is refused is their own, too. */
function judgedGroups(
  groups: readonly DeviceGroup[],
  refusing: readonly RefusingRow[],
  judge: Judge,
): PreviewGroup[] {
  const apart = new Map<string, RefusingRow[]>();
  for (const row of refusing) {
    const key = JSON.stringify([row.key, JSON.parse(row.refused).toSorted()]);
    apart.set(key, [...(apart.get(key) ?? []), row]);
  }
  const rowsApart = new Set(refusing.map(({ row }) => row));
  const countsApart = new Map<string, number>();
  for (const { key } of refusing) {
    const base = baseOf(factsOfKey(key));
    countsApart.set(base, (countsApart.get(base) ?? 0) + 1);
  }
  const others = groups.map(({ facts, count, rows }) => ({
    ...shown(facts),
    count: count - (countsApart.get(baseOf(facts)) ?? 0),
    rows: rows.filter((row) => !rowsApart.has(row)),
    way: judge(facts, nothing),
  }));
  const refused = [...apart].map(([text, rows]) => {
    const [key, hashes] = JSON.parse(text) as [string, string[]];
    const facts = factsOfKey(key);
    const way = judge(facts, new Set(hashes));
    return { ...shown(facts), count: rows.length, rows: rows.map(({ row }) => row), way };
  });
  return [...others.filter(({ count }) => count > 0), ...refused];
}

function baseOf(facts: GroupFacts): string {
  return JSON.stringify(facts);
}

/** Who does not pass the filter, or is not named. */
function unselected(count: number): PreviewGroup {
  const nobody = { hardware: null, version: null, region: null, timeZone: null, passes: [] };
  return { ...nobody, count, rows: [], way: { ok: false, reason: "not-selected" } };
}

function shown({ hardware, runningVersion, region, timeZone, passes }: GroupFacts) {
  return { hardware, version: runningVersion, region, timeZone, passes };
}

type Found = FleetPreview &
  Pick<RolloutPreview, "stop" | "problems" | "releaseVersion" | "windows">;

async function told(
  db: Queries,
  { rows, left, windows, ...found }: Found,
  { wanted, release, nowUnixMs }: { wanted: NewRollout; release: Release; nowUnixMs: number },
): Promise<RolloutPreview> {
  const ids = await idsOfRows(db, [...rows, ...left.flatMap((one) => one.rows)]);
  const named = (of: readonly number[]): string[] => of.flatMap((row) => ids.get(row) ?? []);
  const { name: _, start: __, ...asked } = wanted;
  const shownPreview = {
    ...found,
    first: named(rows),
    left: left.map(({ reason, devices, rows: of }) => ({ reason, devices, examples: named(of) })),
  };
  const files = release.images.map(({ fileHash }) => fileHash);
  const digest = createHash("sha256")
    .update(JSON.stringify({ asked, files, found: shownPreview }))
    .digest("hex");
  return { ...shownPreview, windowOpensAtUnixMs: windowOf(wanted, nowUnixMs), windows, digest };
}

function windowOf({ definition: { windows } }: NewRollout, nowUnixMs: number): number | null {
  if (windows === null) return null;
  const read = readRolloutWindows(windows);
  return read.ok ? nextOpeningOf(read.windows, nowUnixMs) : null;
}

/** The windows of groups are not among what is counted: devices of groups count as all others. */
function outlookOf(
  { definition: { windows } }: NewRollout,
  judged: readonly PreviewGroup[],
  nowUnixMs: number,
): LastOpening | null {
  const read = windows === null ? null : readRolloutWindows(windows);
  if (read?.ok !== true) return null;
  const counts = new Map<string | null, number>();
  for (const { timeZone, count, way } of judged)
    if (way.ok) counts.set(timeZone, (counts.get(timeZone) ?? 0) + count);
  const places = [...counts].map(([timezone, devices]) => ({ timezone, devices, groups: [] }));
  return lastWindowOpens(places, { rollout: read.windows, groups: new Map() }, nowUnixMs);
}
