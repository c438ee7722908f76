import { type Insertable, type Selectable, sql, type Updateable } from "kysely";
import { limits } from "../limits.ts";
import type { DeviceId } from "../names.ts";
import type { Queries } from "./database.ts";
import type { ActionReportTable, ActionStatus, ActionTable } from "./tables.ts";

export type ActionRow = Selectable<ActionTable>;
export type ActionReportRow = Selectable<ActionReportTable>;

/** The action that is under way: at most one per device, always its newest. */
export async function findActiveAction(db: Queries, id: DeviceId): Promise<ActionRow | null> {
  const newest = await db
    .selectFrom("actions")
    .selectAll()
    .where("device_id", "=", id)
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  return newest !== undefined && isActive(newest) ? newest : null;
}

export function isActive(action: Pick<ActionRow, "status">): boolean {
  return activeStatuses.includes(action.status);
}

export const activeStatuses: readonly ActionStatus[] = ["open", "canceling", "confirming"];

/** Null when there is none of that id, or it is another device's. */
export async function findAction(
  db: Queries,
  deviceId: DeviceId,
  actionId: number,
): Promise<ActionRow | null> {
  const row = await db
    .selectFrom("actions")
    .selectAll()
    .where("id", "=", actionId)
    .where("device_id", "=", deviceId)
    .executeTakeFirst();
  return row ?? null;
}

/** Newest first. */
export async function listActions(
  db: Queries,
  deviceId: DeviceId,
  limit: number,
): Promise<ActionRow[]> {
  return db
    .selectFrom("actions")
    .selectAll()
    .where("device_id", "=", deviceId)
    .orderBy("id", "desc")
    .limit(limit)
    .execute();
}

/** Adds it, and lets those of the same device go that are older than its newest `actionHistoryMax`. */
export async function insertAction(
  db: Queries,
  action: Insertable<ActionTable>,
): Promise<ActionRow> {
  const row = await db
    .insertInto("actions")
    .values(action)
    .returningAll()
    .executeTakeFirstOrThrow();
  const old = await db
    .selectFrom("actions")
    .select("id")
    .where("device_id", "=", row.device_id)
    .orderBy("id", "desc")
    .limit(prunedActionsMax)
    .offset(limits.actionHistoryMax)
    .execute();
  const ids = old.map(({ id }) => id);
  if (ids.length === 0) return row;
  await db.deleteFrom("action_reports").where("action_id", "in", ids).execute();
  await db.deleteFrom("actions").where("id", "in", ids).execute();
  return row;
}

/** A database of before may have more; they go with the next actions. */
const prunedActionsMax = 100;

export async function updateAction(
  db: Queries,
  actionId: number,
  change: Updateable<ActionTable>,
): Promise<void> {
  await db.updateTable("actions").set(change).where("id", "=", actionId).execute();
}

/** Keeps the first `reportsMax` reports of an action, with their words as long as those have room. */
export async function addReport(
  db: Queries,
  report: Insertable<ActionReportTable>,
  reportsMax: number,
): Promise<void> {
  const { count, bytes } = await db
    .selectFrom("action_reports")
    .select((select) => [
      select.fn.countAll<number>().as("count"),
      sql<number | null>`sum(length(cast(details as blob)))`.as("bytes"),
    ])
    .where("action_id", "=", report.action_id)
    .executeTakeFirstOrThrow();
  if (Number(count) >= reportsMax) return;
  const hasRoom =
    Number(bytes) + Buffer.byteLength(report.details) <= limits.reportBytesPerActionMax;
  const details = hasRoom ? report.details : wordsNotKept;
  await db
    .insertInto("action_reports")
    .values({ ...report, details })
    .execute();
}

const wordsNotKept = JSON.stringify(["not kept: the reports of this action have said too much"]);

/** Newest first. */
export async function listReports(
  db: Queries,
  actionId: number,
  limit: number,
): Promise<ActionReportRow[]> {
  return db
    .selectFrom("action_reports")
    .selectAll()
    .where("action_id", "=", actionId)
    .orderBy("id", "desc")
    .limit(limit)
    .execute();
}
