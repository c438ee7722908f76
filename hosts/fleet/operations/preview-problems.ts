import type { FleetPreview, PreviewGroup } from "../rollout/preview.ts";
import type { Queries } from "../storage/database.ts";
import { type DeviceSelection, type GroupFacts, listSelected } from "../storage/device-groups.ts";
import { findDevice, listSpelledOtherwise, mapRefusals } from "../storage/devices.ts";
import { limits } from "../terms/limits.ts";
import { parseDeviceId } from "../terms/names.ts";
import type { FleetMemory } from "./memory.ts";
import { Overlap } from "./overlap.ts";
import type { Release } from "./releases.ts";
import { type NewRollout, noDevicesText } from "./rollouts.ts";
import { whyNoStageGuards } from "./stage-places.ts";
import { Stranded } from "./stranded.ts";

/** Why a rollout like this would be refused, with the next step. */
export interface Problem {
  readonly reason: string;
  readonly message: string;
}

/** The images that devices like these are offered one after another, or why they are left out. */
export type Judge = (facts: GroupFacts, refused: ReadonlySet<string>) => PreviewGroup["way"];

interface Sight {
  readonly wanted: NewRollout;
  readonly release: Release;
  readonly selection: DeviceSelection;
  readonly found: FleetPreview;
  readonly judged: readonly PreviewGroup[];
  readonly judge: Judge;
}

/** What `createRollout` would refuse, in its order. */
export async function problemsOf(
  { db, memory }: { readonly db: Queries; readonly memory: FleetMemory },
  sight: Sight,
): Promise<Problem[]> {
  const texts: (readonly [string, string | null])[] = [
    ["too-many-rollouts", tooManyText(memory)],
    ["spelled-otherwise", await otherSpelling(db, sight)],
    ["strands-devices", strandedText(sight)],
    ["no-eligible-devices", nobodyText(sight)],
    ["overlaps", await overlapText({ db, memory }, sight)],
    ["stage-holds-nobody", emptyStagesText(sight)],
  ];
  return texts.flatMap(([reason, message]) => (message === null ? [] : [{ reason, message }]));
}

function tooManyText({ rollouts }: FleetMemory): string | null {
  const { rolloutsMax } = limits;
  return rollouts.size < rolloutsMax ? null : `a server keeps at most ${rolloutsMax} rollouts`;
}

async function otherSpelling(db: Queries, { wanted }: Sight): Promise<string | null> {
  for (const text of wanted.definition.selector.devices ?? []) {
    const id = parseDeviceId(text);
    if (id !== null && (await findDevice(db, id)) !== null) continue;
    const [knownAs] = await listSpelledOtherwise(db, text);
    if (knownAs !== undefined)
      return `there is no device ${text}: ${knownAs} is the same id in another spelling, by which it is registered; use that one`;
  }
  return null;
}

function strandedText({ wanted, release, judged }: Sight): string | null {
  if (wanted.leaveBehind) return null;
  const stranded = new Stranded();
  for (const { way, version, hardware, count } of judged)
    if (!way.ok && way.reason === "needs-stepping-stone")
      stranded.count({ version, hardware }, count);
  return stranded.refusal(release.version, wanted.definition.approved);
}

function nobodyText({ wanted, release, found }: Sight): string | null {
  if (found.devices > 0) return null;
  const left = new Map(found.left.map(({ reason, devices }) => [reason, devices]));
  return noDevicesText(release, wanted.definition, left);
}

function emptyStagesText({ wanted, selection, judged, found }: Sight): string | null {
  if (found.devices === 0) return null;
  const passing = selection.apart.map((filter, index) => {
    if (filter === null) return null;
    const size = judged.reduce(
      (sum, { way, passes, count }) => sum + (way.ok && passes[index] === true ? count : 0),
      0,
    );
    return { size };
  });
  return whyNoStageGuards(wanted.definition.stages, passing);
}

/** Devices looked up at a time. */
const pageSize = 2000;

/** Looks at each device where another open rollout brings the release: its bucket tells. */
async function overlapText(
  { db, memory }: { readonly db: Queries; readonly memory: FleetMemory },
  { wanted, release, selection, judge }: Sight,
): Promise<string | null> {
  const overlap = new Overlap(memory, release, selection.nowUnixMs);
  if (wanted.beside || overlap.isImpossible) return null;
  const refusals = await mapRefusals(db);
  let after = "";
  for (;;) {
    // Bounded by the devices: every page begins after the last device of the one before.
    const page = await listSelected(db, selection, { after, limit: pageSize });
    const devices = page.map((row) => ({ row, refusedImages: refusals.get(row.id) ?? nothing }));
    const taken = devices.filter(({ row, refusedImages }) => judge(factsOf(row), refusedImages).ok);
    await overlap.add(db, taken);
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return overlap.refusal;
    after = last.id;
  }
}

const nothing: ReadonlySet<string> = new Set();

function factsOf(row: Awaited<ReturnType<typeof listSelected>>[number]): GroupFacts {
  return {
    hardware: row.hardware,
    runningVersion: row.running_version,
    runningHash: row.running_hash,
    configurationVersion: row.configuration_version,
    region: null,
    timeZone: null,
    passes: [],
  };
}
