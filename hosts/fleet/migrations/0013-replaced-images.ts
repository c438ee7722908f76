import type { Kysely } from "kysely";

/**
 * The image that a member ran when it came to run the release: who runs it again went back, who
 * runs a newer one moved on. Null for members of before.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("rollout_members").addColumn("replaced_hash", "text").execute();
}
