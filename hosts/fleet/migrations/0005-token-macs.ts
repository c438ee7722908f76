import type { Kysely } from "kysely";

/**
 * Tokens are known by a MAC with the server's key; digests of before go when their token is used.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("devices").addColumn("token_mac", "text").execute();
}
