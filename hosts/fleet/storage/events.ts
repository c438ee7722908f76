import { sql } from "kysely";
import { ends } from "../rollout/member.ts";
import { limits } from "../terms/limits.ts";
import type { Queries } from "./database.ts";
import { bytesOf, jsonMember } from "./sqlite/statements.ts";

/** One thing that happened, as the stream keeps it. */
export interface FleetEvent {
  readonly kind: string;
  readonly deviceId?: string;
  readonly rolloutId?: number;
  readonly releaseVersion?: string;
  /** The id of an event that a device sent. */
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

/**
 * Adds it, and lets others of the same device go beyond the bounds. False for an event of a device
 * that is here already.
 */
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
  const isNew = result.numInsertedOrUpdatedRows === 1n;
  if (isNew) await keepWithinBound(db, event.deviceId ?? null);
  return isNew;
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

const publishingsReadMax = 1000;

/** The highest version of each role that the newest events tell was published. */
export async function publishedVersions(db: Queries): Promise<ReadonlyMap<string, number>> {
  const rows = await db
    .selectFrom("events")
    .select("details")
    .where("device_id", "is", null)
    .where("kind", "=", "metadata-published")
    .orderBy("id", "desc")
    .limit(publishingsReadMax)
    .execute();
  const versions = new Map<string, number>();
  for (const { details } of rows) {
    const { names = [] } = JSON.parse(details) as { names?: readonly string[] };
    for (const name of names) {
      const [role = "", version = ""] = name.split(" ");
      versions.set(role, Math.max(versions.get(role) ?? 0, Number(version)));
    }
  }
  return versions;
}

const [serverItself, allTogether] = ["", "*"];

interface Held {
  readonly count: number;
  readonly bytes: number;
}

/** Once something has to go, so much more goes that the next few events cost no look. */
const roomShare = 1 / 32;
const serverGoesAtOnce = 256;

/** Keeps what one device may have, whoever saw it, or the server itself. */
async function keepWithinBound(db: Queries, deviceId: string | null): Promise<void> {
  const held = await heldBy(db, deviceId ?? serverItself);
  if (deviceId === null) {
    const isOver = held.count > limits.eventsOfServerMax;
    if (isOver || held.bytes > limits.eventBytesOfServerMax)
      await deleteOldestOfServer(
        db,
        isOver ? held.count - limits.eventsOfServerMax : serverGoesAtOnce,
      );
    return;
  }
  const [countMax, bytesMax] = [limits.eventsPerDeviceMax, limits.eventBytesPerDeviceMax];
  if (held.count <= countMax && held.bytes <= bytesMax) return;
  await letGo(db, deviceId, {
    count: held.count - Math.floor(countMax * (1 - roomShare)),
    bytes: held.bytes - Math.floor(bytesMax * (1 - roomShare)),
  });
}

async function heldBy(db: Queries, owner: string): Promise<Held> {
  const row = await db
    .selectFrom("event_counts")
    .select(["count", "bytes"])
    .where("device_id", "=", owner)
    .executeTakeFirst();
  return row ?? { count: 0, bytes: 0 };
}

async function deleteOldestOfServer(db: Queries, count: number): Promise<void> {
  const own = db.selectFrom("events").select("id").where("device_id", "is", null);
  await db.deleteFrom("events").where("id", "in", own.orderBy("id").limit(count)).execute();
}

/**
 * How an update ended, and what the server itself found out of a device, is worth more than what it
 * said in passing.
 */
const lasts = sql`case
  when kind = 'feedback'
    then coalesce(${jsonMember(sql.ref("details"), "execution")} in (${sql.join(ends)}), 0)
  when kind in ('running-header-malformed', 'device-says-installed') then 0
  else kind not like 'device.%' end`;

/** The texts of an event whose bytes are counted, as the table's triggers do. */
const keptTexts = ["kind", "details", "device_id", "release_version", "device_event_id"].map(
  (column) => sql.ref(column),
);

/**
 * Deletes events of a device until both are gone: the oldest of what was said in passing, then the
 * oldest of what lasts. The newer half of what a device may have stays in any case, so that a long
 * history leaves room for what is new.
 */
async function letGo(db: Queries, deviceId: string, excess: Held): Promise<void> {
  const [countHalf, bytesHalf] = [limits.eventsPerDeviceMax / 2, limits.eventBytesPerDeviceMax / 2];
  await sql`with own as (
      select id, ${lasts} as lasts,
        ${bytesOf(keptTexts)} as bytes
      from events where device_id = ${deviceId}
    ), aged as (
      select id, lasts, bytes, row_number() over newest_first as age,
        sum(bytes) over newest_first as newer_bytes
      from own window newest_first as (order by id desc)
    ), queued as (
      select id, row_number() over queue as place, sum(bytes) over queue - bytes as bytes_before
      from aged window queue as (order by
        age = 1 or (age <= ${countHalf} and newer_bytes <= ${bytesHalf}), lasts, id)
    )
    delete from events where id in (
      select id from queued where place <= ${excess.count} or bytes_before < ${excess.bytes}
    )`.execute(db);
}

/** Devices that one call takes events from; what is left over is for the next one. */
const prunedDevicesMax = 64;
const goesAtOnceMax: Held = { count: 500, bytes: 128 * 1024 };
const goesAtOnceMin: Held = { count: 16, bytes: 4 * 1024 };

/**
 * Keeps `keptMax` events of all: those go that the devices with the most have, so that nobody who
 * says much pushes out what others said, or what the server itself did (that has a bound of its
 * own). False when some are left over.
 */
export async function pruneEvents(db: Queries, keptMax: Held): Promise<boolean> {
  for (let pruned = 0; pruned < prunedDevicesMax; pruned += 1) {
    const all = await heldBy(db, allTogether);
    const measure = all.count > keptMax.count ? "count" : "bytes";
    const excess = all[measure] - keptMax[measure];
    if (excess <= 0) return true;
    const [largest, next] = await db
      .selectFrom("event_counts")
      .selectAll()
      .where("device_id", "not in", [serverItself, allTogether])
      .orderBy(measure, "desc")
      .limit(2)
      .execute();
    if (largest === undefined) return true;
    const ahead = Math.max(largest[measure] - (next?.[measure] ?? 0), goesAtOnceMin[measure]);
    const goes = Math.min(excess, ahead, goesAtOnceMax[measure]);
    await letGo(db, largest.device_id, { count: 0, bytes: 0, [measure]: goes });
  }
  return false;
}
