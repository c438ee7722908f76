import type { Kysely } from "kysely";

/** Members that are counted apart, and when the server itself was not there. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const counter of ["no_server", "stuck"])
    await db.schema
      .alterTable("rollout_stages")
      .addColumn(counter, "integer", (column) => column.notNull().defaultTo(0))
      .execute();
  await db.schema
    .createTable("server_alive")
    .addColumn("id", "integer", (column) => column.primaryKey().notNull())
    .addColumn("at", "integer", (column) => column.notNull())
    .execute();
  await db.schema
    .createTable("server_outages")
    .addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    .addColumn("from_at", "integer", (column) => column.notNull())
    .addColumn("to_at", "integer", (column) => column.notNull())
    .addColumn("cause", "text", (column) => column.notNull())
    .execute();
}
