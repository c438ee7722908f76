import { type Kysely, sql } from "kysely";

/**
 * What images say of their release, and operators' words that let a device take a release that it
 * refuses.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("images").addColumn("facts", "text").execute();
  await db.schema
    .alterTable("actions")
    .addColumn("retry", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  await db.schema
    .createTable("device_clearances")
    .addColumn("device_id", "text", (column) => column.notNull())
    .addColumn("release_id", "integer", (column) => column.notNull())
    .addColumn("at", "integer", (column) => column.notNull())
    .addPrimaryKeyConstraint("device_clearances_key", ["device_id", "release_id"])
    .modifyEnd(sql`without rowid`)
    .execute();
}
