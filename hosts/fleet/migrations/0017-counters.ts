import { type Kysely, sql } from "kysely";

/**
 * What devices count: of each its last report, so that none is taken twice; sums of a device while
 * a rollout compares it; what a rollout's comparison knows, as JSON; and sums of everybody else.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table counter_reports (
    device_id text primary key not null,
    report_id text not null,
    at_service_ms integer not null
  ) without rowid`.execute(db);
  await sql`create table compared_devices (
    rollout_id integer not null,
    device_id text not null,
    arm text not null,
    stratum text not null,
    totals text not null,
    had_events text not null,
    primary key (rollout_id, device_id)
  ) without rowid`.execute(db);
  await sql`create index compared_devices_by_device on compared_devices (device_id)`.execute(db);
  await sql`create table comparisons (
    rollout_id integer primary key not null,
    comparison text not null
  )`.execute(db);
  await sql`create table counter_cohorts (
    hour integer not null,
    hardware text not null,
    region text not null,
    version text not null,
    sums text not null,
    primary key (hour, hardware, region, version)
  ) without rowid`.execute(db);
}
