import type { Kysely } from "kysely";

/**
 * What each device was told by the director: the device takes no lower version and no earlier time
 * again. Rows outlive their device, which may come back with the storage that it had;
 * `removed_service_ms` says since when.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable("director_times")
    .addColumn("device_id", "text", (column) => column.primaryKey().notNull())
    .addColumn("version", "integer", (column) => column.notNull())
    .addColumn("told_time", "integer", (column) => column.notNull())
    .addColumn("director_keys", "text", (column) => column.notNull())
    .addColumn("removed_service_ms", "integer")
    .execute();
  await db.schema
    .createIndex("director_times_by_keys")
    .on("director_times")
    .columns(["director_keys", "told_time"])
    .execute();
  await db.schema
    .createIndex("director_times_removed")
    .on("director_times")
    .column("removed_service_ms")
    .where("removed_service_ms", "is not", null)
    .execute();
}
