import { type Kysely, sql } from "kysely";

/**
 * Durations are measured in service time, which no step of the wall clock moves. A database of
 * before goes on from when its server was last seen; what a clock that was ahead wrote is brought
 * back to then, so that no stage waits for a time that is far away.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("server_alive").addColumn("service_ms", "integer").execute();
  await db.schema.alterTable("server_outages").addColumn("service_ms", "integer").execute();
  for (const name of ["opened_service_ms", "settled_service_ms"])
    await db.schema.alterTable("rollout_stages").addColumn(name, "integer").execute();
  await db.schema
    .alterTable("rollout_members")
    .addColumn("changed_service_ms", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  // Servers of before outages were noted left no time; the newest one of a member is theirs.
  await sql`insert into server_alive (id, at)
    select 1, max(changed_at) from rollout_members
    where not exists (select 1 from server_alive) having max(changed_at) is not null`.execute(db);
  await sql`update server_alive set service_ms = at`.execute(db);
  const alive = sql`coalesce((select at from server_alive), 0)`;
  await sql`update server_outages set service_ms = min(to_at, ${alive})`.execute(db);
  await sql`update rollout_stages set opened_service_ms = min(opened_at, ${alive}),
    settled_service_ms = min(settled_at, ${alive})`.execute(db);
  await sql`update rollout_members set changed_service_ms = min(changed_at, ${alive}),
    proof_due_at = proof_due_at - max(0, changed_at - ${alive})`.execute(db);
}
