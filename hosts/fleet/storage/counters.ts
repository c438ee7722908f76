import { type Selectable, sql } from "kysely";
import type { Queries } from "./database.ts";
import { listOf, rowsOf } from "./sqlite/statements.ts";
import type {
  ComparedDeviceTable,
  CounterCohortTable,
  CounterReportTable,
  RolloutMemberTable,
} from "./tables.ts";

export type CounterReportRow = CounterReportTable;
export type ComparedDeviceRow = ComparedDeviceTable;
export type CounterCohortRow = CounterCohortTable;

/** What says in which arm of a rollout a device is. */
export type ComparedMember = Pick<
  Selectable<RolloutMemberTable>,
  "rollout_id" | "device_id" | "state" | "changed_service_ms"
>;

export async function listCounterReports(
  db: Queries,
  deviceIds: readonly string[],
): Promise<CounterReportRow[]> {
  return db
    .selectFrom("counter_reports")
    .selectAll()
    .where("device_id", "in", listOf(deviceIds))
    .execute();
}

export async function saveCounterReports(
  db: Queries,
  rows: readonly CounterReportRow[],
): Promise<void> {
  const values = rows.map(({ device_id, report_id, at_service_ms }) => [
    device_id,
    report_id,
    at_service_ms,
  ]);
  const columns = ["device_id", "report_id", "at_service_ms"];
  await sql`insert into counter_reports (device_id, report_id, at_service_ms)
    select device_id, report_id, at_service_ms from ${rowsOf(columns, values)} as told where true
    on conflict (device_id) do update
      set report_id = excluded.report_id, at_service_ms = excluded.at_service_ms`.execute(db);
}

export async function listComparedMembers(
  db: Queries,
  rolloutIds: readonly number[],
  deviceIds: readonly string[],
): Promise<ComparedMember[]> {
  return db
    .selectFrom("rollout_members")
    .select(["rollout_id", "device_id", "state", "changed_service_ms"])
    .where("device_id", "in", listOf(deviceIds))
    .where("rollout_id", "in", rolloutIds)
    .execute();
}

export async function listComparedDevices(
  db: Queries,
  rolloutIds: readonly number[],
  deviceIds: readonly string[],
): Promise<ComparedDeviceRow[]> {
  return db
    .selectFrom("compared_devices")
    .selectAll()
    .where("device_id", "in", listOf(deviceIds))
    .where("rollout_id", "in", rolloutIds)
    .execute();
}

const comparedColumns = [
  "rollout_id",
  "device_id",
  "arm",
  "stratum",
  "totals",
  "had_events",
] as const;

export async function saveComparedDevices(
  db: Queries,
  rows: readonly ComparedDeviceRow[],
): Promise<void> {
  const values = rows.map((row) => comparedColumns.map((column) => row[column]));
  await sql`insert into compared_devices
      (rollout_id, device_id, arm, stratum, totals, had_events)
    select rollout_id, device_id, arm, stratum, totals, had_events
    from ${rowsOf(comparedColumns, values)} as told where true
    on conflict (rollout_id, device_id) do update set arm = excluded.arm,
      stratum = excluded.stratum, totals = excluded.totals,
      had_events = excluded.had_events`.execute(db);
}

export async function findComparison(db: Queries, rolloutId: number): Promise<string | null> {
  const row = await db
    .selectFrom("comparisons")
    .select("comparison")
    .where("rollout_id", "=", rolloutId)
    .executeTakeFirst();
  return row?.comparison ?? null;
}

export async function saveComparison(
  db: Queries,
  rolloutId: number,
  comparison: string,
): Promise<void> {
  await db
    .insertInto("comparisons")
    .values({ rollout_id: rolloutId, comparison })
    .onConflict((conflict) => conflict.column("rollout_id").doUpdateSet({ comparison }))
    .execute();
}

export async function listComparisons(db: Queries): Promise<number[]> {
  const rows = await db.selectFrom("comparisons").select("rollout_id").execute();
  return rows.map(({ rollout_id: id }) => id);
}

/** Forgets so many devices of a comparison; the comparison goes with the last of them. */
export async function forgetCompared(
  db: Queries,
  rolloutId: number,
  devicesMax: number,
): Promise<void> {
  const some = db
    .selectFrom("compared_devices")
    .select("device_id")
    .where("rollout_id", "=", rolloutId)
    .limit(devicesMax);
  const gone = await db
    .deleteFrom("compared_devices")
    .where("rollout_id", "=", rolloutId)
    .where("device_id", "in", some)
    .executeTakeFirst();
  if (Number(gone.numDeletedRows) < devicesMax)
    await db.deleteFrom("comparisons").where("rollout_id", "=", rolloutId).execute();
}

type CohortKey = Omit<CounterCohortRow, "sums">;

export async function findCohort(db: Queries, key: CohortKey): Promise<string | null> {
  const row = await db
    .selectFrom("counter_cohorts")
    .select("sums")
    .where("hour", "=", key.hour)
    .where("hardware", "=", key.hardware)
    .where("region", "=", key.region)
    .where("version", "=", key.version)
    .executeTakeFirst();
  return row?.sums ?? null;
}

export async function saveCohort(db: Queries, row: CounterCohortRow): Promise<void> {
  await db
    .insertInto("counter_cohorts")
    .values(row)
    .onConflict((conflict) =>
      conflict.columns(["hour", "hardware", "region", "version"]).doUpdateSet({ sums: row.sums }),
    )
    .execute();
}

export async function countCohorts(db: Queries, hour: number): Promise<number> {
  const { count } = await db
    .selectFrom("counter_cohorts")
    .select((expression) => expression.fn.countAll<number>().as("count"))
    .where("hour", "=", hour)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** Oldest first, without those of the first hour that are skipped, of hours before `beforeHour`. */
export async function listCohorts(
  db: Queries,
  page: {
    readonly from: { readonly hour: number; readonly skipped: number };
    readonly beforeHour: number;
    readonly limit: number;
  },
): Promise<CounterCohortRow[]> {
  return db
    .selectFrom("counter_cohorts")
    .selectAll()
    .where("hour", ">=", page.from.hour)
    .where("hour", "<", page.beforeHour)
    .orderBy("hour")
    .orderBy("hardware")
    .orderBy("region")
    .orderBy("version")
    .limit(page.limit)
    .offset(page.from.skipped)
    .execute();
}

/** Lets so many cohorts of hours before go. */
export async function forgetCohorts(db: Queries, beforeHour: number, max: number): Promise<void> {
  await sql`delete from counter_cohorts where (hour, hardware, region, version) in (
    select hour, hardware, region, version from counter_cohorts where hour < ${beforeHour}
    order by hour limit ${max})`.execute(db);
}
