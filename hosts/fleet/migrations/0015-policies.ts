import { type Kysely, sql } from "kysely";

/**
 * Policies by name and version; what rollouts decided, with its arithmetic; who approved that one
 * goes on; and the counters of the rules that count apart.
 */
export async function up(db: Kysely<never>): Promise<void> {
  await sql`create table policies (
    name text not null,
    version integer not null,
    document text not null,
    created_at integer not null,
    primary key (name, version)
  ) without rowid`.execute(db);
  await sql`create table rollout_decisions (
    id integer primary key,
    rollout_id integer not null references rollouts (id),
    stage integer not null,
    kind text not null,
    sentence text not null,
    inputs text not null,
    at integer not null
  )`.execute(db);
  await sql`create index rollout_decisions_by_rollout on rollout_decisions (rollout_id, id)`.execute(
    db,
  );
  await sql`create table stage_approvals (
    rollout_id integer not null references rollouts (id),
    stage integer not null,
    approver text not null,
    at integer not null,
    primary key (rollout_id, stage, approver)
  ) without rowid`.execute(db);
  for (const column of ["health_failed", "battery_dropped", "approvals", "warned_rules"])
    await sql`alter table rollout_stages add column ${sql.ref(column)} integer not null default 0`.execute(
      db,
    );
  await sql`alter table rollouts add column kept_since_service_ms integer`.execute(db);
  await sql`alter table rollout_members add column battery_before real`.execute(db);
  await sql`alter table rollout_members add column battery_dropped integer not null default 0`.execute(
    db,
  );
  await sql`update rollout_stages set health_failed = (
    select count(*) from rollout_members as member
    where member.rollout_id = rollout_stages.rollout_id and member.stage = rollout_stages.stage
      and member.state = 'rolled-back' and member.reason in (${sql.join(healthReasons)}))`.execute(
    db,
  );
}

/** What rollout/member.ts called a failed health check when this was written. */
const healthReasons: readonly string[] = [
  "server-refused",
  "health-check",
  "low-memory",
  "peripheral",
  "no-checks",
  "late-rollback:health",
  "late-rollback:leak",
];
