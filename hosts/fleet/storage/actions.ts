import { type Insertable, type Selectable, sql, type Updateable } from "kysely";
import { isEnd } from "../rollout/member.ts";
import { limits } from "../terms/limits.ts";
import type { DeviceId } from "../terms/names.ts";
import type { Queries } from "./database.ts";
import { bytesOf } from "./sqlite/statements.ts";
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

/** The actions of all devices before the id `before`, newest first, with their regions. */
export async function listNewestOffers(
  db: Queries,
  before: number,
  limit: number,
): Promise<(Pick<ActionRow, "id" | "rollout_id" | "created_at"> & { region: string | null })[]> {
  return db
    .selectFrom("actions")
    .innerJoin("devices", "devices.id", "actions.device_id")
    .select(["actions.id", "actions.rollout_id", "actions.created_at", "devices.region"])
    .where("actions.id", "<", before)
    .orderBy("actions.id", "desc")
    .limit(limit)
    .execute();
}

/**
 * Adds it, and lets those of the same device go that are older than its newest `actionHistoryMax`.
 */
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

/**
 * Keeps it, and makes room for it where its action has said too much: the oldest reports that are
 * no results go, or lose their words; results only after all of these.
 */
export async function addReport(db: Queries, report: Insertable<ActionReportTable>): Promise<void> {
  const kept = await db
    .selectFrom("action_reports")
    .select(["id", "execution", bytesOf([sql.ref("details")]).as("bytes")])
    .where("action_id", "=", report.action_id)
    .orderBy("id")
    .execute();
  const queue = [...kept].sort((a, b) => Number(isEnd(a.execution)) - Number(isEnd(b.execution)));
  const goes = queue.splice(0, Math.max(0, kept.length + 1 - limits.reportsPerActionMax));
  let bytes = queue.reduce((sum, one) => sum + one.bytes, Buffer.byteLength(report.details));
  const loseWords = queue.filter((one) => {
    if (bytes <= limits.reportBytesPerActionMax || one.bytes <= wordsNotKept.length) return false;
    bytes -= one.bytes - wordsNotKept.length;
    return true;
  });
  const idsOf = (rows: typeof kept): number[] => rows.map(({ id }) => id);
  if (goes.length > 0)
    await db.deleteFrom("action_reports").where("id", "in", idsOf(goes)).execute();
  if (loseWords.length > 0)
    await db
      .updateTable("action_reports")
      .set({ details: wordsNotKept })
      .where("id", "in", idsOf(loseWords))
      .execute();
  await db.insertInto("action_reports").values(report).execute();
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
