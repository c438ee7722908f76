import { type Kysely, sql } from "kysely";

/**
 * How much is offered and sent at a time, and since when a rollout's rate grows; when devices wake
 * that told so.
 */
export async function up(db: Kysely<never>): Promise<void> {
  await sql`create table admission_limits (
    region text primary key,
    offers_per_minute integer,
    downloads integer,
    bytes_per_second integer
  ) without rowid`.execute(db);
  await sql`alter table rollouts add column rate_since_service_ms integer`.execute(db);
  await sql`alter table rollout_stages add column silent integer not null default 0`.execute(db);
  for (const column of ["next_wake_at", "next_wake_service_ms", "silent_at_service_ms"])
    await sql`alter table devices add column ${sql.ref(column)} integer`.execute(db);
}
