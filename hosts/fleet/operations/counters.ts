import { type Arm, type DeviceTotals, observe } from "../rollout/control-group.ts";
import {
  addToCohort,
  armOf,
  type CohortSums,
  type CounterReport,
  readingsOf,
} from "../rollout/counter-report.ts";
import {
  type ComparedDeviceRow,
  type CounterReportRow,
  countCohorts,
  findCohort,
  forgetCohorts,
  forgetCompared,
  listComparedDevices,
  listComparedMembers,
  listComparisons,
  listCounterReports,
  saveCohort,
  saveComparedDevices,
  saveCounterReports,
} from "../storage/counters.ts";
import type { UnitOfWork } from "../storage/database.ts";
import { limits } from "../terms/limits.ts";
import { leaveTurn } from "../time/slices.ts";
import { isGone } from "./change-device.ts";
import { isCompared } from "./control.ts";
import type { CountersResult, SentCounters } from "./counter-desk.ts";
import { evaluateRollout } from "./evaluate.ts";
import type { Fleet } from "./fleet.ts";

const hourMs = 3_600_000;
/** Devices whose clock runs a little fast report hourly all the same. */
const reportEveryMs = 3_300_000;
/**
 * Takes what a device counted; answered once it is on the disk. A report that is known, or comes
 * too early, costs no transaction.
 */
export async function receiveCounters(fleet: Fleet, sent: SentCounters): Promise<CountersResult> {
  const last = fleet.counters.told.get(sent.entry);
  const refused = last === undefined ? null : refusalOf(sent.report, last, fleet.time.nowMs());
  if (refused !== null) return refused;
  return fleet.counters.receive(sent, (batch) =>
    fleet.database.write((unit) => takeReports(unit, fleet, batch)),
  );
}

interface Taken extends SentCounters {
  readonly sinceLastMs: number | null;
}

async function takeReports(
  unit: UnitOfWork,
  fleet: Fleet,
  batch: readonly SentCounters[],
): Promise<CountersResult[]> {
  const nowMs = fleet.time.nowMs();
  const ids = batch.map(({ entry }) => entry.id);
  const last = new Map<string, CounterReportRow>();
  for (const row of await listCounterReports(unit.db, ids)) last.set(row.device_id, row);
  const taken: Taken[] = [];
  const results = batch.map(({ entry, report }): CountersResult => {
    if (isGone(fleet, entry)) return { kind: "gone" };
    const before = last.get(entry.id);
    const refused = before === undefined ? null : refusalOf(report, before, nowMs);
    if (refused !== null) return refused;
    const sinceLastMs = before === undefined ? null : nowMs - before.at_service_ms;
    const report_id = `${report.bootId}-${report.sequence}`;
    last.set(entry.id, { device_id: entry.id, report_id, at_service_ms: nowMs });
    taken.push({ entry, report, sinceLastMs });
    return { kind: "accepted" };
  });
  unit.onCommit(() => {
    for (const { entry } of batch) {
      const row = last.get(entry.id);
      if (row !== undefined) fleet.counters.told.set(entry, row);
    }
  });
  if (taken.length === 0) return results;
  await saveCounterReports(
    unit.db,
    taken.flatMap(({ entry }) => last.get(entry.id) ?? []),
  );
  const compared = await compare(unit, fleet, { taken, nowMs });
  await addToCohorts(
    unit,
    taken.filter(({ entry }) => !compared.has(entry.id)),
  );
  return results;
}

function refusalOf(
  report: CounterReport,
  last: CounterReportRow,
  nowMs: number,
): CountersResult | null {
  if (isTold(report, last.report_id)) return { kind: "duplicate" };
  const waitMs = reportEveryMs - (nowMs - last.at_service_ms);
  return waitMs > 0 ? { kind: "too-early", waitSeconds: Math.ceil(waitMs / 1000) } : null;
}

/** Reports of one boot have rising numbers: this one, or a later one, was taken before. */
function isTold({ bootId, sequence }: CounterReport, lastId: string): boolean {
  const dash = lastId.lastIndexOf("-");
  return lastId.slice(0, dash) === bootId && sequence <= Number(lastId.slice(dash + 1));
}

/** Answers the devices that a rollout compares. */
async function compare(
  unit: UnitOfWork,
  fleet: Fleet,
  { taken, nowMs }: { readonly taken: readonly Taken[]; readonly nowMs: number },
): Promise<ReadonlySet<string>> {
  const compared = new Set<string>();
  const rolloutIds = [...fleet.memory.rollouts.values()].filter(isCompared).map(({ id }) => id);
  if (rolloutIds.length === 0) return compared;
  const byId = new Map(taken.map((one) => [one.entry.id as string, one]));
  const ids = [...byId.keys()];
  const known = new Map<string, ComparedDeviceRow>();
  for (const row of await listComparedDevices(unit.db, rolloutIds, ids))
    known.set(`${row.rollout_id} ${row.device_id}`, row);
  const changed = new Map<number, { readonly one: Taken; readonly arm: Arm }[]>();
  for (const member of await listComparedMembers(unit.db, rolloutIds, ids)) {
    const one = byId.get(member.device_id);
    const arm = one === undefined ? null : armOf(member, one.report, nowMs);
    if (one === undefined || arm === null) continue;
    compared.add(member.device_id);
    const observed = changed.get(member.rollout_id);
    const sinceMs = Math.min(
      one.sinceLastMs ?? Number.POSITIVE_INFINITY,
      arm === "updated" ? nowMs - member.changed_service_ms : Number.POSITIVE_INFINITY,
    );
    const sinceLastMs = Number.isFinite(sinceMs) ? sinceMs : null;
    const observation = { one: { ...one, sinceLastMs }, arm };
    if (observed === undefined) changed.set(member.rollout_id, [observation]);
    else observed.push(observation);
  }
  for (const [rolloutId, observations] of changed) {
    const rows: ComparedDeviceRow[] = [];
    await fleet.comparisons.change(unit, rolloutId, (comparison) => {
      for (const { one, arm } of observations) {
        const { entry, report, sinceLastMs } = one;
        const stratum = `${entry.row.hardware ?? ""} ${entry.row.region ?? ""}`;
        const before = known.get(`${rolloutId} ${entry.id}`);
        const isSame = before?.arm === arm && before.stratum === stratum;
        const totals: DeviceTotals = isSame ? JSON.parse(before.totals) : {};
        const hadEvents = new Set<string>(
          before === undefined ? [] : JSON.parse(before.had_events),
        );
        const hour = Math.floor(nowMs / hourMs);
        const readings = readingsOf(report, sinceLastMs);
        observe(comparison, { totals, hadEvents }, { stratum, arm, hour, readings });
        rows.push({
          rollout_id: rolloutId,
          device_id: entry.id,
          arm,
          stratum,
          totals: JSON.stringify(totals),
          had_events: JSON.stringify([...hadEvents]),
        });
      }
    });
    await saveComparedDevices(unit.db, rows);
    await leaveTurn();
    await evaluateRollout(unit, fleet, rolloutId);
  }
  return compared;
}

/** Devices of kinds beyond the bound of an hour, whose region and version are their own word. */
const others = { hardware: "", region: "", version: "" };

/** What devices count that no rollout compares is kept by what they are, not by who. */
async function addToCohorts(unit: UnitOfWork, taken: readonly Taken[]): Promise<void> {
  const hour = Math.floor(unit.nowUnixMs / hourMs);
  const cohorts = new Map<string, Taken[]>();
  for (const one of taken) {
    const { hardware, region, running_version: version } = one.entry.row;
    const key = JSON.stringify([hardware ?? "", region ?? "", version ?? ""]);
    const alike = cohorts.get(key);
    if (alike === undefined) cohorts.set(key, [one]);
    else alike.push(one);
  }
  for (const [key, members] of cohorts) {
    const [hardware = "", region = "", version = ""]: string[] = JSON.parse(key);
    const named = { hour, hardware, region, version };
    let stored = await findCohort(unit.db, named);
    const isOneMore =
      stored === null && (await countCohorts(unit.db, hour)) >= limits.cohortsPerHourMax;
    const kind = isOneMore ? { ...named, ...others } : named;
    if (isOneMore) stored = await findCohort(unit.db, kind);
    const sums: CohortSums = stored === null ? { reports: 0, metrics: {} } : JSON.parse(stored);
    for (const { report, sinceLastMs } of members)
      addToCohort(sums, readingsOf(report, sinceLastMs));
    await saveCohort(unit.db, { ...kind, sums: JSON.stringify(sums) });
  }
}

/** Forgets, a part at a tick, what no rollout compares any more, and hours that are long over. */
export async function forgetCounters(fleet: Fleet): Promise<void> {
  const over = (await listComparisons(fleet.database.queries)).filter((id) => {
    const rollout = fleet.memory.rollouts.get(id);
    return rollout === undefined || rollout.wasFinished || rollout.state === "cancelled";
  });
  const oldest = Math.floor(fleet.clock.unixMs() / hourMs) - limits.cohortHoursKept;
  await fleet.database.write(async ({ db }) => {
    for (const id of over.slice(0, 1)) await forgetCompared(db, id, limits.comparedForgottenMax);
    await forgetCohorts(db, oldest, limits.cohortsForgottenMax);
  });
}
