import { type Kysely, sql } from "kysely";

/** Finds a device whose id is a MAC address or a UUID by any spelling of it. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create index devices_by_digits
    on devices (lower(replace(replace(replace(id, ':', ''), '-', ''), '.', '')))`.execute(db);
}
