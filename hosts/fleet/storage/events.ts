import { limits } from "../limits.ts";
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

/**
 * Adds it, and lets the oldest of the same device go beyond the bound. False for an event of a device
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

const [serverItself, allTogether] = ["", "*"];

/** Keeps the newest `eventsPerDeviceMax` of one device, whoever saw them, or of the server itself. */
async function keepWithinBound(db: Queries, deviceId: string | null): Promise<void> {
  const keptMax = deviceId === null ? limits.eventsOfServerMax : limits.eventsPerDeviceMax;
  const count = await eventsOf(db, deviceId ?? serverItself);
  if (count > keptMax) await deleteOldest(db, deviceId, count - keptMax);
}

async function eventsOf(db: Queries, owner: string): Promise<number> {
  const row = await db
    .selectFrom("event_counts")
    .select("count")
    .where("device_id", "=", owner)
    .executeTakeFirst();
  return row?.count ?? 0;
}

async function deleteOldest(db: Queries, deviceId: string | null, count: number): Promise<void> {
  const oldest = db
    .selectFrom("events")
    .select("id")
    .where("device_id", deviceId === null ? "is" : "=", deviceId)
    .orderBy("id")
    .limit(count);
  await db.deleteFrom("events").where("id", "in", oldest).execute();
}

/** Devices that one call takes events from; what is left over is for the next one. */
const prunedDevicesMax = 64;
const deletedAtOnceMax = 500;
const deletedAtOnceMin = 16;

/**
 * Keeps `keptMax` events of all: those go that the devices with the most have, the oldest of each
 * first, so that nobody who says much pushes out what others said, or what the server itself did (that
 * has a bound of its own). False when some are left over.
 */
export async function pruneEvents(db: Queries, keptMax: number): Promise<boolean> {
  for (let pruned = 0; pruned < prunedDevicesMax; pruned += 1) {
    const excess = (await eventsOf(db, allTogether)) - keptMax;
    if (excess <= 0) return true;
    const [largest, next] = await db
      .selectFrom("event_counts")
      .selectAll()
      .where("device_id", "not in", [serverItself, allTogether])
      .orderBy("count", "desc")
      .limit(2)
      .execute();
    if (largest === undefined) return true;
    const ahead = Math.max(largest.count - (next?.count ?? 0), deletedAtOnceMin);
    await deleteOldest(db, largest.device_id, Math.min(excess, ahead, deletedAtOnceMax));
  }
  return false;
}
