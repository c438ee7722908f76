import { type Kysely, sql } from "kysely";

/**
 * What the texts of the events of each device take, beside their number, so that few large ones are
 * bounded as many small ones are.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable("event_counts")
    .addColumn("bytes", "integer", (column) => column.notNull().defaultTo(0))
    .execute();
  await sql`update event_counts set bytes = counted.bytes from (
      select coalesce(device_id, '') as owner, sum(${bytesOf("events")}) as bytes
      from events group by 1
    ) as counted where device_id = counted.owner`.execute(db);
  await sql`update event_counts set bytes = (select coalesce(sum(bytes), 0) from event_counts)
    where device_id = '*'`.execute(db);
  await sql`create index event_counts_by_bytes on event_counts (bytes)`.execute(db);
  await sql`drop trigger events_counted`.execute(db);
  await sql`drop trigger events_uncounted`.execute(db);
  await sql`create trigger events_counted after insert on events begin
    insert into event_counts values (coalesce(new.device_id, ''), 1, ${bytesOf("new")})
      on conflict (device_id) do update set count = count + 1, bytes = bytes + excluded.bytes;
    update event_counts set count = count + 1, bytes = bytes + ${bytesOf("new")}
      where device_id = '*';
  end`.execute(db);
  await sql`create trigger events_uncounted after delete on events begin
    update event_counts set count = count - 1, bytes = bytes - ${bytesOf("old")}
      where device_id = coalesce(old.device_id, '') or device_id = '*';
    delete from event_counts where device_id = coalesce(old.device_id, '') and count <= 0;
  end`.execute(db);
}

/** The bytes, in SQL, of the texts whose length somebody else chose. */
function bytesOf(row: "events" | "new" | "old") {
  return sql.raw(`(octet_length(${row}.kind) + octet_length(${row}.details)
    + coalesce(octet_length(${row}.device_id), 0)
    + coalesce(octet_length(${row}.release_version), 0)
    + coalesce(octet_length(${row}.device_event_id), 0))`);
}
