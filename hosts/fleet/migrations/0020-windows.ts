import { type Kysely, sql } from "kysely";

/**
 * Windows of groups, which every rollout respects; and how many members of a rollout are in each
 * time zone, counted as they come, move and go ('' is for those of which nobody said it).
 */
export async function up(db: Kysely<never>): Promise<void> {
  await sql`create table group_windows (
    device_group text primary key,
    document text not null,
    changed_at integer not null
  ) without rowid`.execute(db);
  await sql`create table rollout_time_zones (
    rollout_id integer not null references rollouts (id),
    timezone text not null,
    members integer not null,
    primary key (rollout_id, timezone)
  ) without rowid`.execute(db);
  await sql`insert into rollout_time_zones (rollout_id, timezone, members)
    select rollout_id, coalesce(timezone, ''), count(*)
    from rollout_members join devices on devices.id = device_id
    group by rollout_id, coalesce(timezone, '')`.execute(db);
  await sql`create trigger rollout_time_zones_joined after insert on rollout_members begin
    insert into rollout_time_zones (rollout_id, timezone, members)
      select new.rollout_id, coalesce(timezone, ''), 1 from devices where id = new.device_id
      on conflict do update set members = members + 1;
  end`.execute(db);
  await sql`create trigger rollout_time_zones_left before delete on rollout_members begin
    update rollout_time_zones set members = members - 1
      where rollout_id = old.rollout_id
      and timezone = (select coalesce(timezone, '') from devices where id = old.device_id);
  end`.execute(db);
  await sql`create trigger rollout_time_zones_moved after update of timezone on devices
    when old.timezone is not new.timezone begin
    update rollout_time_zones set members = members - 1
      where timezone = coalesce(old.timezone, '')
      and rollout_id in (select rollout_id from rollout_members where device_id = new.id);
    insert into rollout_time_zones (rollout_id, timezone, members)
      select rollout_id, coalesce(new.timezone, ''), 1 from rollout_members
      where device_id = new.id
      on conflict do update set members = members + 1;
  end`.execute(db);
}
