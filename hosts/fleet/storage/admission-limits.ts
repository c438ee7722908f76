import { type AdmissionLimits, unlimited } from "../admission/limits.ts";
import type { Queries } from "./database.ts";

/** By region; of the whole server under its name. */
export async function readAdmissionLimits(db: Queries): Promise<Map<string, AdmissionLimits>> {
  const rows = await db.selectFrom("admission_limits").selectAll().orderBy("region").execute();
  return new Map(
    rows.map((row) => [
      row.region,
      {
        offersPerMinute: row.offers_per_minute,
        downloads: row.downloads,
        bytesPerSecond: row.bytes_per_second,
      },
    ]),
  );
}

/** Limits that are none are not kept. */
export async function writeAdmissionLimits(
  db: Queries,
  region: string,
  limits: AdmissionLimits,
): Promise<void> {
  await db.deleteFrom("admission_limits").where("region", "=", region).execute();
  if (Object.keys(unlimited).every((name) => limits[name as keyof AdmissionLimits] === null))
    return;
  await db
    .insertInto("admission_limits")
    .values({
      region,
      offers_per_minute: limits.offersPerMinute,
      downloads: limits.downloads,
      bytes_per_second: limits.bytesPerSecond,
    })
    .execute();
}
