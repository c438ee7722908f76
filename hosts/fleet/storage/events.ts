import { sql } from "kysely";
import type { Queries } from "./database.ts";

/** One thing that happened, as the stream keeps it. */
export interface FleetEvent {
  readonly kind: string;
  readonly deviceId?: string;
  readonly rolloutId?: number;
  readonly releaseVersion?: string;
  /** Of an event that a device sent. */
  readonly deviceEventId?: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface StoredEvent {
  readonly id: number;
  readonly at: number;
  readonly kind: string;
  readonly device_id: string | null;
  readonly rollout_id: number | null;
  readonly release_version: string | null;
  readonly device_event_id: string | null;
  readonly details: string;
}

/** False for an event of a device that is here already. */
export async function addEvent(db: Queries, event: FleetEvent, atUnixMs: number): Promise<boolean> {
  const result = await db
    .insertInto("events")
    .values({
      at: atUnixMs,
      kind: event.kind,
      device_id: event.deviceId ?? null,
      rollout_id: event.rolloutId ?? null,
      release_version: event.releaseVersion ?? null,
      device_event_id: event.deviceEventId ?? null,
      details: JSON.stringify(event.details ?? {}),
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirst();
  return result.numInsertedOrUpdatedRows === 1n;
}

/** Oldest first, from the one after `after`. */
export async function listEvents(
  db: Queries,
  page: { readonly after: number; readonly limit: number; readonly deviceId?: string },
): Promise<StoredEvent[]> {
  let query = db
    .selectFrom("events")
    .selectAll()
    .where("id", ">", page.after)
    .orderBy("id")
    .limit(page.limit);
  if (page.deviceId !== undefined) query = query.where("device_id", "=", page.deviceId);
  return query.execute();
}

/** Newest first, from the one before `before`. */
export async function listEventsOfDevice(
  db: Queries,
  deviceId: string,
  page: {
    readonly limit: number;
    readonly before: number | null;
    /** Only what the device itself sent. */
    readonly sentByDevice: boolean;
  },
): Promise<StoredEvent[]> {
  let query = db
    .selectFrom("events")
    .selectAll()
    .where("device_id", "=", deviceId)
    .orderBy("id", "desc")
    .limit(page.limit);
  if (page.before !== null) query = query.where("id", "<", page.before);
  if (page.sentByDevice) query = query.where("device_event_id", "is not", null);
  return query.execute();
}

/** Keeps the newest `keptMax` events of a device. */
export async function pruneEventsOfDevice(
  db: Queries,
  deviceId: string,
  keptMax: number,
): Promise<void> {
  const newest = db
    .selectFrom("events")
    .select("id")
    .where("device_id", "=", deviceId)
    .orderBy("id", "desc")
    .limit(1)
    .offset(keptMax);
  await db
    .deleteFrom("events")
    .where("device_id", "=", deviceId)
    .where("id", "<=", newest)
    .execute();
}

/** Keeps the newest `keptMax` events. */
export async function pruneEvents(db: Queries, keptMax: number): Promise<void> {
  // By count: ids have gaps, after a time that a backup knows nothing of.
  await sql`delete from events where id <=
    (select id from events order by id desc limit 1 offset ${keptMax})`.execute(db);
}
