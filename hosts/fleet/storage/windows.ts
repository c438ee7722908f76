import type { Queries } from "./database.ts";

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
