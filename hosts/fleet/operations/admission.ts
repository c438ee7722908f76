import { Admission } from "../admission/admission.ts";
import {
  type AdmissionLimits,
  admissionBounds,
  unlimited,
  wholeServer,
} from "../admission/limits.ts";
import { listNewestOffers } from "../storage/actions.ts";
import { readAdmissionLimits, writeAdmissionLimits } from "../storage/admission-limits.ts";
import type { FleetDatabase } from "../storage/database.ts";
import { addEvent } from "../storage/events.ts";
import { updateRollout } from "../storage/rollouts.ts";
import type { Fleet } from "./fleet.ts";
import type { DeviceEntry } from "./known-devices.ts";
import type { Rollout } from "./memory.ts";

/** Who offered what in the last minute is read in parts of so many. */
const offersPerRead = 1000;
const minuteMs = 60_000;

/** The stored limits, and what counts against them from before this start. */
export async function openAdmission(
  database: FleetDatabase,
  options: {
    readonly nowMs: () => number;
    readonly unixMs: () => number;
    readonly pollSeconds: number;
  },
): Promise<Admission<DeviceEntry>> {
  const admission = new Admission<DeviceEntry>(options);
  admission.limits = await readAdmissionLimits(database.queries);
  // A date of the future is one of a clock that was set back since.
  const sinceUnixMs = options.unixMs() - minuteMs;
  let before = Number.MAX_SAFE_INTEGER;
  for (let read = 0; read < admissionBounds.offersPerMinuteMax; read += offersPerRead) {
    const offers = await listNewestOffers(database.queries, before, offersPerRead);
    const recent = offers.filter(({ created_at: at }) => at >= sinceUnixMs);
    for (const offer of recent)
      admission.noteOffer({ rolloutId: offer.rollout_id, region: offer.region });
    if (recent.length < offersPerRead) break;
    before = recent.at(-1)?.id ?? 0;
  }
  return admission;
}

/** Is it the turn of a device that a rollout would offer its release to? */
export function mayOffer(
  { admission, time }: Fleet,
  entry: DeviceEntry,
  { rollout, asks }: { readonly rollout: Rollout; readonly asks: boolean },
): boolean {
  const { rate } = rollout.definition;
  const runsMs = rollout.rateSinceMs === null ? 0 : time.nowMs() - rollout.rateSinceMs;
  return admission.mayOffer(entry, {
    rolloutId: rollout.id,
    rate,
    runsMs,
    downloads: !asks,
  });
}

const downloading: readonly string[] = ["offered", "checking", "downloading", "working"];

/** A device that does not download, gives its slot to the next. */
export function freeSlot({ admission }: Fleet, entry: DeviceEntry): void {
  if (entry.action !== null && downloading.includes(entry.row.state)) return;
  admission.endDownload(entry, "no file");
}

/** What changes of limits; those that are absent stay. */
export interface LimitChange extends Partial<AdmissionLimits> {
  /** The whole server when absent. */
  readonly region?: string;
}

export type LimitResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: "too-many-regions"; readonly message: string };

/** Changes what the whole server or one region may do at a time; it counts from now on. */
export function changeLimits(fleet: Fleet, change: LimitChange): Promise<LimitResult> {
  const { region = wholeServer, ...wanted } = change;
  return fleet.database.write(async (unit): Promise<LimitResult> => {
    const { limits } = fleet.admission;
    if (!limits.has(region) && limits.size > admissionBounds.regionsMax)
      return {
        ok: false,
        reason: "too-many-regions",
        message: `at most ${admissionBounds.regionsMax} regions have limits; take those of another away first`,
      };
    const now = { ...(limits.get(region) ?? unlimited), ...wanted };
    await writeAdmissionLimits(unit.db, region, now);
    const details = { region: region === wholeServer ? null : region, ...now };
    await addEvent(unit.db, { kind: "admission-limits-set", details }, unit.nowUnixMs);
    const after = await readAdmissionLimits(unit.db);
    unit.onCommit(() => {
      fleet.admission.limits = after;
      fleet.memory.plan.advance();
    });
    return { ok: true };
  });
}

/** The rate of a rollout grows while it offers its release, and begins anew after a pause. */
export async function noteRates(fleet: Fleet): Promise<void> {
  for (const { id } of [...fleet.memory.rollouts.values()].filter(isRateDue))
    await fleet.database.write(async (unit) => {
      const rollout = fleet.memory.rollouts.get(id);
      if (rollout === undefined || !isRateDue(rollout)) return;
      const rateSinceMs = rollout.rateSinceMs === null ? fleet.time.nowMs() : null;
      await updateRollout(unit.db, id, { rate_since_service_ms: rateSinceMs });
      // Nothing that was decided becomes wrong by it: no device needs to be decided about anew.
      unit.onCommit(() => void fleet.memory.rollouts.set(id, { ...rollout, rateSinceMs }));
    });
}

function isRateDue({ definition, state, rateSinceMs }: Rollout): boolean {
  if (definition.rate === null || definition.rate.growthPerHour === 1) return false;
  const isOffering = state === "running" || state === "finished";
  return isOffering !== (rateSinceMs !== null);
}
