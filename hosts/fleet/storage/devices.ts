import { type Insertable, type Selectable, sql, type Updateable } from "kysely";
import type { Filter } from "../filter/filter.ts";
import type { ShownState } from "../rollout/member.ts";
import { type DeviceId, digitsOfId } from "../terms/names.ts";
import type { Queries } from "./database.ts";
import { filterCondition } from "./filter-query.ts";
import { listOf } from "./sqlite/statements.ts";
import type { DeviceTable } from "./tables.ts";

export type DeviceRow = Selectable<DeviceTable>;

export async function findDevice(db: Queries, id: DeviceId): Promise<DeviceRow | null> {
  return (
    (await db.selectFrom("devices").selectAll().where("id", "=", id).executeTakeFirst()) ?? null
  );
}

/**
 * Devices whose id is this one in other spellings, the oldest first: more than one of a fleet of
 * before.
 */
export async function listSpelledOtherwise(db: Queries, id: string): Promise<DeviceId[]> {
  const digits = digitsOfId(id);
  if (digits === null) return [];
  const rows = await db
    .selectFrom("devices")
    .select("id")
    // The expression of the index, to the letter.
    .where(
      sql<string>`lower(replace(replace(replace(id, ':', ''), '-', ''), '.', ''))`,
      "=",
      digits,
    )
    .orderBy("created_at")
    .execute();
  return rows
    .map((row) => row.id as DeviceId)
    .filter((other) => other !== id && digitsOfId(other) === digits);
}

/** Is any device known by the MAC of its token? */
export async function hasTokenMacs(db: Queries): Promise<boolean> {
  const query = db.selectFrom("devices").select("id").where("token_mac", "is not", null);
  return (await query.limit(1).executeTakeFirst()) !== undefined;
}

export async function countDevices(db: Queries): Promise<number> {
  const row = await db
    .selectFrom("devices")
    .select((select) => select.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return Number(row.count);
}

/** False when the id is taken. */
export async function insertDevice(db: Queries, device: Insertable<DeviceTable>): Promise<boolean> {
  const result = await db
    .insertInto("devices")
    .values(device)
    .onConflict((conflict) => conflict.column("id").doNothing())
    .executeTakeFirst();
  return result.numInsertedOrUpdatedRows === 1n;
}

export async function updateDevice(
  db: Queries,
  id: DeviceId,
  change: Updateable<DeviceTable>,
): Promise<void> {
  await db.updateTable("devices").set(change).where("id", "=", id).execute();
}

/** Deletes a device with all that hangs on it; what happened stays in the stream of events. */
export async function deleteDevice(db: Queries, id: DeviceId): Promise<void> {
  const actions = db.selectFrom("actions").select("id").where("device_id", "=", id);
  await db.deleteFrom("action_reports").where("action_id", "in", actions).execute();
  await db.deleteFrom("actions").where("device_id", "=", id).execute();
  await db.deleteFrom("device_attributes").where("device_id", "=", id).execute();
  await db.deleteFrom("device_registrations").where("device_id", "=", id).execute();
  await db.deleteFrom("device_labels").where("device_id", "=", id).execute();
  await db.deleteFrom("device_refusals").where("device_id", "=", id).execute();
  await db.deleteFrom("device_clearances").where("device_id", "=", id).execute();
  await db.deleteFrom("counter_reports").where("device_id", "=", id).execute();
  await db.deleteFrom("compared_devices").where("device_id", "=", id).execute();
  await db.deleteFrom("rollout_members").where("device_id", "=", id).execute();
  await db.deleteFrom("devices").where("id", "=", id).execute();
}

export async function writeLastSeen(
  db: Queries,
  contacts: ReadonlyArray<{
    readonly id: DeviceId;
    readonly atUnixMs: number;
    readonly knownFrom: number | null;
    readonly nextWake: WakeTimes | null;
  }>,
): Promise<void> {
  for (const { id, atUnixMs, knownFrom, nextWake } of contacts) {
    const wake = wakeColumns(nextWake);
    const seen = { last_seen_at: atUnixMs, known_from: knownFrom, ...wake };
    await db.updateTable("devices").set(seen).where("id", "=", id).execute();
  }
}

interface WakeTimes {
  readonly atUnixMs: number;
  readonly atServiceMs: number;
  readonly silentAtServiceMs: number;
}

/** When a device wakes, as it told, in the columns of its row. */
export function wakeColumns(wake: WakeTimes | null) {
  return {
    next_wake_at: wake?.atUnixMs ?? null,
    next_wake_service_ms: wake?.atServiceMs ?? null,
    silent_at_service_ms: wake?.silentAtServiceMs ?? null,
  };
}

export interface DeviceFilter {
  readonly hardware?: string;
  readonly version?: string;
  readonly state?: ShownState;
  /** Only what passes this filter, asked at that time. */
  readonly filter?: { readonly wanted: Filter; readonly nowUnixMs: number };
}

/** Rows that one query may pass over: some milliseconds of the thread. */
const rowsPerQueryMax = 2000;

/**
 * In the order of the ids, from the one after `after`. What few devices are is looked for a part of
 * the fleet at a time, so that others have their turn.
 */
export async function listDevices(
  db: Queries,
  filter: DeviceFilter,
  page: { readonly after: string | null; readonly limit: number },
): Promise<DeviceRow[]> {
  const found: DeviceRow[] = [];
  let after = page.after ?? "";
  for (;;) {
    // Bounded by the devices: every part begins after the last device of the one before.
    const last = await idAhead(db, after);
    const limit = page.limit - found.length;
    found.push(...(await listBetween(db, filter, { after, last, limit })));
    if (last === null || found.length >= page.limit) return found;
    after = last;
  }
}

/** The id that ends the next part of the fleet; null when it is the last part. */
async function idAhead(db: Queries, after: string): Promise<string | null> {
  const row = await db
    .selectFrom("devices")
    .select("id")
    .where("id", ">", after)
    .orderBy("id")
    .limit(1)
    .offset(rowsPerQueryMax - 1)
    .executeTakeFirst();
  return row?.id ?? null;
}

async function listBetween(
  db: Queries,
  filter: DeviceFilter,
  part: { readonly after: string; readonly last: string | null; readonly limit: number },
): Promise<DeviceRow[]> {
  let query = db.selectFrom("devices").selectAll().where("id", ">", part.after);
  if (part.last !== null) query = query.where("id", "<=", part.last);
  query = query.orderBy("id").limit(part.limit);
  if (filter.hardware !== undefined) query = query.where("hardware", "=", filter.hardware);
  if (filter.version !== undefined) query = query.where("running_version", "=", filter.version);
  if (filter.state !== undefined) query = query.where("state", "=", filter.state);
  if (filter.filter !== undefined) {
    const { wanted, nowUnixMs } = filter.filter;
    query = query.where((build) => filterCondition(build, wanted, nowUnixMs));
  }
  return query.execute();
}

/**
 * What a rollout needs to know of every device of a hardware, or any; a page at a time in the order
 * of the ids.
 */
export async function listCandidates(
  db: Queries,
  hardware: string | null,
  page: { readonly after: string; readonly limit: number },
): Promise<
  Pick<
    DeviceRow,
    "id" | "hardware" | "running_version" | "running_hash" | "configuration_version"
  >[]
> {
  let query = db
    .selectFrom("devices")
    .select(["id", "hardware", "running_version", "running_hash", "configuration_version"])
    .where("id", ">", page.after)
    .orderBy("id")
    .limit(page.limit);
  if (hardware !== null) query = query.where("hardware", "=", hardware);
  return query.execute();
}

/** The ones among these devices that pass a filter. */
export async function listPassing(
  db: Queries,
  { wanted, nowUnixMs }: NonNullable<DeviceFilter["filter"]>,
  deviceIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const rows = await db
    .selectFrom("devices")
    .select("id")
    .where("id", "in", listOf(deviceIds))
    .where((build) => filterCondition(build, wanted, nowUnixMs))
    .execute();
  return new Set(rows.map(({ id }) => id));
}

export type AttributeMode = "merge" | "replace" | "remove";

/**
 * Returns false, and changes nothing, when the device would then have more than `attributesMax`.
 */
export async function writeAttributes(
  db: Queries,
  id: DeviceId,
  change: {
    readonly mode: AttributeMode;
    readonly data: Readonly<Record<string, string>>;
    readonly attributesMax: number;
  },
): Promise<boolean> {
  const keys = Object.keys(change.data);
  const before = change.mode === "replace" ? {} : await readAttributes(db, id);
  const after = new Map(Object.entries(before));
  for (const key of keys)
    if (change.mode === "remove") after.delete(key);
    else after.set(key, change.data[key] ?? "");
  if (after.size > change.attributesMax) return false;
  if (change.mode === "replace")
    await db.deleteFrom("device_attributes").where("device_id", "=", id).execute();
  for (const key of keys)
    if (change.mode === "remove")
      await db
        .deleteFrom("device_attributes")
        .where("device_id", "=", id)
        .where("key", "=", key)
        .execute();
    else
      await db
        .insertInto("device_attributes")
        .values({ device_id: id, key, value: change.data[key] ?? "" })
        .onConflict((conflict) =>
          conflict
            .columns(["device_id", "key"])
            .doUpdateSet((row) => ({ value: row.ref("excluded.value") })),
        )
        .execute();
  return true;
}

export async function readAttributes(db: Queries, id: DeviceId): Promise<Record<string, string>> {
  const rows = await db
    .selectFrom("device_attributes")
    .select(["key", "value"])
    .where("device_id", "=", id)
    .orderBy("key")
    .execute();
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]));
}

export interface Refusal {
  readonly imageHash: string;
  readonly releaseId: number;
  readonly reason: string | null;
  readonly atUnixMs: number;
}

export async function listRefusals(db: Queries, id: DeviceId): Promise<Refusal[]> {
  const rows = await db
    .selectFrom("device_refusals")
    .selectAll()
    .where("device_id", "=", id)
    .execute();
  return rows.map((row) => ({
    imageHash: row.image_hash,
    releaseId: row.release_id,
    reason: row.reason,
    atUnixMs: row.at,
  }));
}

/** The images that each device refuses, of the devices that refuse any. */
export async function mapRefusals(db: Queries): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const refusals = new Map<string, Set<string>>();
  let after = { device_id: "", image_hash: "" };
  for (;;) {
    // Bounded by the refusals: every page begins after the last one of the page before.
    const { rows } = await sql<{ device_id: string; image_hash: string }>`
      select device_id, image_hash from device_refusals
      where (device_id, image_hash) > (${after.device_id}, ${after.image_hash})
      order by device_id, image_hash limit ${rowsPerQueryMax}`.execute(db);
    for (const { device_id: id, image_hash: imageHash } of rows)
      refusals.set(id, (refusals.get(id) ?? new Set()).add(imageHash));
    const last = rows.at(-1);
    if (last === undefined || rows.length < rowsPerQueryMax) return refusals;
    after = last;
  }
}

/** Adds a refusal, or gives one that is there a better reason. */
export async function addRefusal(db: Queries, id: DeviceId, refusal: Refusal): Promise<void> {
  await db
    .insertInto("device_refusals")
    .values({
      device_id: id,
      image_hash: refusal.imageHash,
      release_id: refusal.releaseId,
      reason: refusal.reason,
      at: refusal.atUnixMs,
    })
    .onConflict((conflict) =>
      conflict.columns(["device_id", "image_hash"]).doUpdateSet({ reason: refusal.reason }),
    )
    .execute();
}

/** False when the device refused no image of that release. */
export async function deleteRefusals(
  db: Queries,
  id: DeviceId,
  releaseId: number,
): Promise<boolean> {
  const result = await db
    .deleteFrom("device_refusals")
    .where("device_id", "=", id)
    .where("release_id", "=", releaseId)
    .executeTakeFirst();
  return result.numDeletedRows > 0n;
}
