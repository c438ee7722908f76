import type { Kysely } from "kysely";

/**
 * A configuration document is a release of its own kind, with one file for any hardware, so that
 * rollouts, actions and downloads are the same; devices tell the version that is in effect.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("releases").addColumn("configuration_version", "integer").execute();
  await db.schema.alterTable("devices").addColumn("configuration_version", "integer").execute();
}
