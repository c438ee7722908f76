import { type Kysely, sql } from "kysely";

/**
 * How many events each device has, so that bounds are counted and not guessed from ids, which have
 * gaps. The row without a device (`''`) counts the server's own events, the row `*` all of them;
 * neither is an id that a device can have.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`create table event_counts (device_id text primary key not null, count integer not null)
    without rowid`.execute(db);
  await sql`create index event_counts_by_count on event_counts (count)`.execute(db);
  await sql`insert into event_counts select coalesce(device_id, ''), count(*) from events
    group by 1`.execute(db);
  await sql`insert into event_counts select '*', count(*) from events`.execute(db);
  await sql`create trigger events_counted after insert on events begin
    insert into event_counts values (coalesce(new.device_id, ''), 1)
      on conflict (device_id) do update set count = count + 1;
    update event_counts set count = count + 1 where device_id = '*';
  end`.execute(db);
  await sql`create trigger events_uncounted after delete on events begin
    update event_counts set count = count - 1
      where device_id = coalesce(old.device_id, '') or device_id = '*';
    delete from event_counts where device_id = coalesce(old.device_id, '') and count <= 0;
  end`.execute(db);
}
