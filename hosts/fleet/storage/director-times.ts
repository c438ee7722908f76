import { type Selectable, sql } from "kysely";
import { limits } from "../terms/limits.ts";
import type { Queries } from "./database.ts";
import { everyRow } from "./sqlite/statements.ts";
import type { DirectorTimeTable } from "./tables.ts";

export type DirectorTimeRow = Selectable<DirectorTimeTable>;

export async function findDirectorTime(
  db: Queries,
  deviceId: string,
): Promise<DirectorTimeRow | null> {
  const query = db.selectFrom("director_times").selectAll().where("device_id", "=", deviceId);
  return (await query.executeTakeFirst()) ?? null;
}

/** Stores what a device that is here was told. */
export async function writeDirectorTime(
  db: Queries,
  row: Omit<DirectorTimeRow, "removed_service_ms">,
): Promise<void> {
  const { device_id: _, ...told } = row;
  await db
    .insertInto("director_times")
    .values({ ...row, removed_service_ms: null })
    .onConflict((conflict) =>
      conflict.column("device_id").doUpdateSet({ ...told, removed_service_ms: null }),
    )
    .execute();
}

/**
 * The device was removed. What it was told is kept, of the newest `removedTimesKeptMax` of these.
 */
export async function noteRemovedTime(
  db: Queries,
  deviceId: string,
  serviceMs: number,
): Promise<void> {
  const given = db.updateTable("director_times").set({ removed_service_ms: serviceMs });
  await given.where("device_id", "=", deviceId).execute();
  const old = db
    .selectFrom("director_times")
    .select("device_id")
    .where("removed_service_ms", "is not", null)
    .orderBy("removed_service_ms", "desc")
    .limit(everyRow)
    .offset(limits.removedTimesKeptMax);
  await db.deleteFrom("director_times").where("device_id", "in", old).execute();
}

/** Each text of `director_keys` that there is; found by skipping along the index. */
export async function listDirectorKeys(db: Queries): Promise<string[]> {
  const { rows } = await sql<{ keys: string }>`with recursive known(keys) as (
      select min(director_keys) from director_times
      union all
      select (select min(director_keys) from director_times where director_keys > known.keys)
      from known where known.keys is not null
    ) select keys from known where keys is not null limit ${keySetsMax}`.execute(db);
  return rows.map(({ keys }) => keys);
}

const keySetsMax = 1000;

/** The latest time before `beforeUnixMs` that devices with these keys were told, or null. */
export async function latestToldTime(
  db: Queries,
  keys: string,
  beforeUnixMs: number,
): Promise<number | null> {
  const row = await db
    .selectFrom("director_times")
    .select((select) => select.fn.max("told_time").as("latest"))
    .where("director_keys", "=", keys)
    .where("told_time", "<", beforeUnixMs)
    .executeTakeFirst();
  return row?.latest ?? null;
}

/** Devices with these keys that were told that time or a later one; the furthest ahead first. */
export async function listToldFrom(
  db: Queries,
  keys: string,
  fromUnixMs: number,
): Promise<Pick<DirectorTimeRow, "device_id" | "told_time">[]> {
  return db
    .selectFrom("director_times")
    .select(["device_id", "told_time"])
    .where("director_keys", "=", keys)
    .where("told_time", ">=", fromUnixMs)
    .where("removed_service_ms", "is", null)
    .orderBy("told_time", "desc")
    .limit(limits.devicesAheadCountedMax)
    .execute();
}
