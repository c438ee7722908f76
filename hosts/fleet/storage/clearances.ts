import type { DeviceId } from "../terms/names.ts";
import type { Queries } from "./database.ts";

/** An operator lets the device take a release again that it refuses by itself. */
export async function addClearance(
  db: Queries,
  id: DeviceId,
  clearance: { readonly releaseId: number; readonly atUnixMs: number },
): Promise<void> {
  const { releaseId, atUnixMs } = clearance;
  await db
    .insertInto("device_clearances")
    .values({ device_id: id, release_id: releaseId, at: atUnixMs })
    .onConflict((conflict) =>
      conflict.columns(["device_id", "release_id"]).doUpdateSet({ at: atUnixMs }),
    )
    .execute();
}

export async function isCleared(db: Queries, id: DeviceId, releaseId: number): Promise<boolean> {
  const row = await db
    .selectFrom("device_clearances")
    .select("at")
    .where("device_id", "=", id)
    .where("release_id", "=", releaseId)
    .executeTakeFirst();
  return row !== undefined;
}

/** The clearance is used up: the device runs the release, or went back again. */
export async function deleteClearance(db: Queries, id: DeviceId, releaseId: number): Promise<void> {
  await db
    .deleteFrom("device_clearances")
    .where("device_id", "=", id)
    .where("release_id", "=", releaseId)
    .execute();
}
