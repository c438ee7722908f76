import { type Kysely, sql } from "kysely";

/**
 * Stages count who ever joined them, so that one whose members are gone is not taken for one that
 * never had any; members count the rollbacks for nothing but silence, which are tried again.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const name of ["joined", "no_link"])
    await db.schema
      .alterTable("rollout_stages")
      .addColumn(name, "integer", (column) => column.notNull().defaultTo(0))
      .execute();
  await db.schema
    .alterTable("rollout_members")
    .addColumn("silent_rollbacks", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  await sql`update rollout_stages set joined = waiting + offered + working + deferred + activating
    + trial + reported + updated + rolled_back + failed + unproven + withdrawn + excluded
    + no_server + stuck`.execute(db);
}
