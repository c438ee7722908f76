import type { Selectable } from "kysely";
import type { Queries } from "./database.ts";
import type { GroupWindowsTable } from "./tables.ts";

export type GroupWindowsRow = Selectable<GroupWindowsTable>;

/** The windows that every rollout respects, by the name of their group. */
export async function listGroupWindows(db: Queries): Promise<GroupWindowsRow[]> {
  return db.selectFrom("group_windows").selectAll().orderBy("device_group").execute();
}

export async function findGroupWindows(
  db: Queries,
  group: string,
): Promise<GroupWindowsRow | undefined> {
  return db
    .selectFrom("group_windows")
    .selectAll()
    .where("device_group", "=", group)
    .executeTakeFirst();
}

/** In place of those that the group has. */
export async function writeGroupWindows(db: Queries, row: GroupWindowsRow): Promise<void> {
  const { document, changed_at } = row;
  await db
    .insertInto("group_windows")
    .values(row)
    .onConflict((conflict) => conflict.column("device_group").doUpdateSet({ document, changed_at }))
    .execute();
}

export async function deleteGroupWindows(db: Queries, group: string): Promise<void> {
  await db.deleteFrom("group_windows").where("device_group", "=", group).execute();
}

/** How many members of a rollout are in each zone; `timezone` is null for those without one. */
export async function listTimeZones(
  db: Queries,
  rolloutId: number,
): Promise<{ readonly timezone: string | null; readonly devices: number }[]> {
  const rows = await db
    .selectFrom("rollout_time_zones")
    .select(["timezone", "members"])
    .where("rollout_id", "=", rolloutId)
    .where("members", ">", 0)
    .orderBy("timezone")
    .execute();
  return rows.map(({ timezone, members }) => ({
    timezone: timezone === "" ? null : timezone,
    devices: members,
  }));
}
