import { type Insertable, type Selectable, sql, type Updateable } from "kysely";
import {
  failedHealth,
  isOpen,
  isOver,
  type Member,
  type MemberState,
  memberStates,
} from "../rollout/member.ts";
import type { StageCounts, StageTally } from "../rollout/tally.ts";
import type { DeviceId } from "../terms/names.ts";
import { activeStatuses } from "./actions.ts";
import type { Queries } from "./database.ts";
import { listOf, rowsOf } from "./sqlite/statements.ts";
import type { RolloutMemberTable, RolloutStageTable, RolloutTable } from "./tables.ts";

export type RolloutRow = Selectable<RolloutTable>;
export type StageRow = Selectable<RolloutStageTable>;
export type MemberRow = Selectable<RolloutMemberTable>;

type CounterColumn =
  | Exclude<MemberState, "rolled-back" | "no-server" | "no-link">
  | "rolled_back"
  | "no_server"
  | "no_link";

export async function listRollouts(db: Queries): Promise<RolloutRow[]> {
  return db.selectFrom("rollouts").selectAll().orderBy("id").execute();
}

export async function insertRollout(
  db: Queries,
  rollout: Insertable<RolloutTable>,
): Promise<RolloutRow> {
  return db.insertInto("rollouts").values(rollout).returningAll().executeTakeFirstOrThrow();
}

export async function updateRollout(
  db: Queries,
  id: number,
  change: Updateable<RolloutTable>,
): Promise<void> {
  await db.updateTable("rollouts").set(change).where("id", "=", id).execute();
}

export async function insertStage(
  db: Queries,
  stage: Insertable<RolloutStageTable>,
): Promise<void> {
  await db.insertInto("rollout_stages").values(stage).execute();
}

export async function updateStage(
  db: Queries,
  rolloutId: number,
  stage: number,
  change: Updateable<RolloutStageTable>,
): Promise<void> {
  await db
    .updateTable("rollout_stages")
    .set(change)
    .where("rollout_id", "=", rolloutId)
    .where("stage", "=", stage)
    .execute();
}

export async function listStages(db: Queries, rolloutId: number): Promise<StageRow[]> {
  return db
    .selectFrom("rollout_stages")
    .selectAll()
    .where("rollout_id", "=", rolloutId)
    .orderBy("stage")
    .execute();
}

/** The counters of a stage as the rules take them. */
export function tallyOf(row: StageRow): StageTally {
  const { health_failed: healthFailed, battery_dropped: batteryDropped } = row;
  return { counts: countsOf(row), healthFailed, batteryDropped };
}

function countsOf(row: StageRow): StageCounts {
  const { waiting, offered, working, deferred, activating, trial, reported, updated } = row;
  const { failed, unproven, withdrawn, excluded } = row;
  const running = { waiting, offered, working, deferred, activating, trial, reported, updated };
  const tried = { "no-server": row.no_server, "no-link": row.no_link };
  const apart = { "rolled-back": row.rolled_back, stuck: row.stuck, silent: row.silent };
  return { ...running, ...tried, ...apart, failed, unproven, withdrawn, excluded };
}

export interface NewMember {
  readonly deviceId: string;
  readonly bucket: number;
  readonly stage: number;
}

/** Adds waiting members and counts them. None of them may be a member already. */
export async function insertMembers(
  db: Queries,
  rolloutId: number,
  members: readonly NewMember[],
  at: { readonly unixMs: number; readonly serviceMs: number },
): Promise<void> {
  const rows = members.map(({ deviceId, bucket, stage }) => [deviceId, bucket, stage]);
  await sql`
    insert into rollout_members (rollout_id, device_id, bucket, stage, state, changed_at,
      changed_service_ms)
    select ${rolloutId}, device_id, bucket, stage, 'waiting', ${at.unixMs}, ${at.serviceMs}
    from ${rowsOf(["device_id", "bucket", "stage"], rows)} as added`.execute(db);
  const perStage = new Map<number, number>();
  for (const { stage } of members) perStage.set(stage, (perStage.get(stage) ?? 0) + 1);
  for (const [stage, count] of perStage)
    await db
      .updateTable("rollout_stages")
      .set((expression) => ({
        waiting: expression("waiting", "+", count),
        joined: expression("joined", "+", count),
      }))
      .where("rollout_id", "=", rolloutId)
      .where("stage", "=", stage)
      .execute();
}

/** The rollouts that a device is a member of, oldest first. */
export async function listMemberships(db: Queries, deviceId: DeviceId): Promise<MemberRow[]> {
  return db
    .selectFrom("rollout_members")
    .selectAll()
    .where("device_id", "=", deviceId)
    .orderBy("rollout_id")
    .execute();
}

/** In the order of the device ids, from the one after `after`. */
export async function listMembers(
  db: Queries,
  rolloutId: number,
  page: { readonly after: string; readonly limit: number; readonly state: MemberState | null },
): Promise<MemberRow[]> {
  let query = db
    .selectFrom("rollout_members")
    .selectAll()
    .where("rollout_id", "=", rolloutId)
    .where("device_id", ">", page.after)
    .orderBy("device_id")
    .limit(page.limit);
  if (page.state !== null) query = query.where("state", "=", page.state);
  return query.execute();
}

export type MemberStanding = Pick<MemberRow, "state" | "reason">;

/** The standings of these devices in these rollouts: by rollout and device. */
export async function mapMembers(
  db: Queries,
  rolloutIds: readonly number[],
  deviceIds: readonly string[],
): Promise<ReadonlyMap<number, ReadonlyMap<string, MemberStanding>>> {
  const found = new Map<number, Map<string, MemberStanding>>(
    rolloutIds.map((id) => [id, new Map()]),
  );
  if (rolloutIds.length === 0) return found;
  const rows = await db
    .selectFrom("rollout_members")
    .select(["rollout_id", "device_id", "state", "reason"])
    .where("rollout_id", "in", rolloutIds)
    .where("device_id", "in", listOf(deviceIds))
    .execute();
  for (const { rollout_id: rollout, device_id: device, state, reason } of rows)
    found.get(rollout)?.set(device, { state, reason });
  return found;
}

export interface Outcome {
  readonly state: MemberState;
  readonly reason: string | null;
  readonly count: number;
}

/** Why the attempts of a rollout ended badly, most frequent first. */
export async function listOutcomes(
  db: Queries,
  rolloutId: number,
  limit: number,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const state of memberStates.filter(isOver)) {
    const counts = await countReasons(db, rolloutId, state);
    outcomes.push(...[...counts].map(([reason, count]) => ({ state, reason, count })));
  }
  // Equally frequent ones by their state, so that the same is told each time.
  const order = (a: Outcome, b: Outcome): number =>
    b.count - a.count || (a.state < b.state ? -1 : a.state > b.state ? 1 : 0);
  return outcomes.sort(order).slice(0, limit);
}

/** Members that one query may look at: some milliseconds of the thread. */
const membersPerQueryMax = 2000;

async function countReasons(
  db: Queries,
  rolloutId: number,
  state: MemberState,
): Promise<ReadonlyMap<string | null, number>> {
  const counts = new Map<string | null, number>();
  let after = "";
  for (;;) {
    // Bounded by the members: every part begins after the last member of the one before.
    const { rows } = await sql<{ reason: string | null; count: number; last: string }>`
      select reason, count(*) as count, max(device_id) as last from (
        select reason, device_id from rollout_members
        where rollout_id = ${rolloutId} and state = ${state} and device_id > ${after}
        order by device_id limit ${membersPerQueryMax})
      group by reason order by reason`.execute(db);
    let looked = 0;
    for (const { reason, count, last } of rows) {
      looked += count;
      counts.set(reason, (counts.get(reason) ?? 0) + count);
      if (last > after) after = last;
    }
    if (looked < membersPerQueryMax) return counts;
  }
}

/** Members whose attempt ended badly, in the order of the device ids. */
export async function listBadMembers(
  db: Queries,
  rolloutId: number,
  limit: number,
): Promise<MemberRow[]> {
  const members: MemberRow[] = [];
  // By state, each in the order of the index: no query sorts all of them.
  for (const state of memberStates.filter(isOver))
    members.push(...(await listMembers(db, rolloutId, { after: "", limit, state })));
  return members.sort((a, b) => (a.device_id < b.device_id ? -1 : 1)).slice(0, limit);
}

/** Moves a member to another state and keeps the counters of its stage right. */
export async function moveMember(
  db: Queries,
  member: MemberRow,
  next: Member,
  times: {
    readonly atUnixMs: number;
    readonly atServiceMs: number;
    readonly proofDueAtServiceMs: number | null;
  },
  silentRollbacks: number,
): Promise<void> {
  await db
    .updateTable("rollout_members")
    .set({
      state: next.state,
      reason: next.reason,
      changed_at: times.atUnixMs,
      changed_service_ms: times.atServiceMs,
      proof_due_at: times.proofDueAtServiceMs,
      silent_rollbacks: silentRollbacks,
      battery_dropped: next.state === "updated" ? member.battery_dropped : 0,
    })
    .where("device_id", "=", member.device_id)
    .where("rollout_id", "=", member.rollout_id)
    .execute();
  await changeCounters(db, member, counterChanges(member, next));
}

type CounterChanges = ReadonlyMap<StageCounter, number>;
type StageCounter = CounterColumn | "health_failed" | "battery_dropped";

function counterChanges(member: MemberRow, next: Member | null): CounterChanges {
  const changes = new Map<StageCounter, number>();
  const add = (counter: StageCounter, by: number): void => {
    const sum = (changes.get(counter) ?? 0) + by;
    if (sum === 0) changes.delete(counter);
    else changes.set(counter, sum);
  };
  add(counterOf(member.state), -1);
  if (failedHealth(member)) add("health_failed", -1);
  if (member.battery_dropped !== 0 && next?.state !== "updated") add("battery_dropped", -1);
  if (next === null) return changes;
  add(counterOf(next.state), 1);
  if (failedHealth(next)) add("health_failed", 1);
  return changes;
}

async function changeCounters(
  db: Queries,
  { rollout_id: rolloutId, stage }: Pick<MemberRow, "rollout_id" | "stage">,
  changes: CounterChanges,
): Promise<void> {
  if (changes.size === 0) return;
  await db
    .updateTable("rollout_stages")
    .set((expression) =>
      Object.fromEntries([...changes].map(([name, by]) => [name, expression(name, "+", by)])),
    )
    .where("rollout_id", "=", rolloutId)
    .where("stage", "=", stage)
    .execute();
}

/** Notes the battery of a member that is offered the release. */
export async function setBatteryBefore(
  db: Queries,
  member: MemberRow,
  percent: number | null,
): Promise<void> {
  await db
    .updateTable("rollout_members")
    .set({ battery_before: percent })
    .where("device_id", "=", member.device_id)
    .where("rollout_id", "=", member.rollout_id)
    .execute();
}

/** Notes that the battery of an updated member dropped, or is better again, and counts it. */
export async function setBatteryDropped(
  db: Queries,
  member: MemberRow,
  hasDropped: boolean,
): Promise<void> {
  await db
    .updateTable("rollout_members")
    .set({ battery_dropped: hasDropped ? 1 : 0 })
    .where("device_id", "=", member.device_id)
    .where("rollout_id", "=", member.rollout_id)
    .execute();
  await changeCounters(db, member, new Map([["battery_dropped", hasDropped ? 1 : -1]]));
}

/** Puts a member that waits into another stage. */
export async function moveToStage(db: Queries, member: MemberRow, stage: number): Promise<void> {
  await db
    .updateTable("rollout_members")
    .set({ stage })
    .where("device_id", "=", member.device_id)
    .where("rollout_id", "=", member.rollout_id)
    .execute();
  const counter = counterOf(member.state);
  await changeCounters(db, member, new Map([[counter, -1]]));
  const to = { rollout_id: member.rollout_id, stage };
  await changeCounters(db, to, new Map<StageCounter, number>([[counter, 1]]));
  await db
    .updateTable("rollout_stages")
    .set((expression) => ({ joined: expression("joined", "+", 1) }))
    .where("rollout_id", "=", to.rollout_id)
    .where("stage", "=", stage)
    .execute();
}

/** Puts the end of what a member does off, or brings it forward. */
export async function setDue(
  db: Queries,
  member: MemberRow,
  dueServiceMs: number | null,
): Promise<void> {
  await db
    .updateTable("rollout_members")
    .set({ proof_due_at: dueServiceMs })
    .where("device_id", "=", member.device_id)
    .where("rollout_id", "=", member.rollout_id)
    .execute();
}

/** What a member ran before the release. */
export async function setReplaced(
  db: Queries,
  member: MemberRow,
  imageHash: string,
): Promise<void> {
  await db
    .updateTable("rollout_members")
    .set({ replaced_hash: imageHash })
    .where("device_id", "=", member.device_id)
    .where("rollout_id", "=", member.rollout_id)
    .execute();
}

/** Gives members an end whose action is of a time in which actions had none. */
export async function setMissingDues(db: Queries, dueServiceMs: number): Promise<void> {
  await db
    .updateTable("rollout_members")
    .set({ proof_due_at: dueServiceMs })
    .where("proof_due_at", "is", null)
    .where((has) =>
      has.or([
        has("state", "in", memberStates.filter(isOpen)),
        has.and([
          has("state", "=", "unproven"),
          has.exists(
            has
              .selectFrom("actions")
              .select("actions.id")
              .whereRef("actions.device_id", "=", "rollout_members.device_id")
              .whereRef("actions.rollout_id", "=", "rollout_members.rollout_id")
              .where("actions.status", "in", activeStatuses),
          ),
        ]),
      ]),
    )
    .execute();
}

/** Takes a member out of the counters of its stage; the row itself goes with the device. */
export async function uncountMember(db: Queries, member: MemberRow): Promise<void> {
  await changeCounters(db, member, counterChanges(member, null));
}

/** Members whose proof, action or pause is over. */
export async function listOverdue(
  db: Queries,
  nowServiceMs: number,
  limit: number,
): Promise<MemberRow[]> {
  return db
    .selectFrom("rollout_members")
    .selectAll()
    .where("proof_due_at", "is not", null)
    .where("proof_due_at", "<=", nowServiceMs)
    .orderBy("proof_due_at")
    .limit(limit)
    .execute();
}

function counterOf(state: MemberState): CounterColumn {
  if (state === "rolled-back") return "rolled_back";
  if (state === "no-server") return "no_server";
  return state === "no-link" ? "no_link" : state;
}
