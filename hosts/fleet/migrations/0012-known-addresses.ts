import type { Kysely } from "kysely";

/** Where a device came from last with its right token, as a number: see `AddressBudget`. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("devices").addColumn("known_from", "integer").execute();
}
