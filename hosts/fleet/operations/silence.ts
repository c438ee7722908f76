import { silentSecondsOf } from "../rollout/timeouts.ts";
import type { DeviceRow } from "../storage/devices.ts";
import { type MemberRow, setDue } from "../storage/rollouts.ts";
import { closeIfDone } from "./decide.ts";
import type { DeviceChange } from "./device-change.ts";
import type { Fleet } from "./fleet.ts";
import type { DeviceEntry } from "./known-devices.ts";
import type { Rollout } from "./memory.ts";
import { sleepsUntilMs } from "./next-wake.ts";

/** A rollout that is under way looks after its updated members: one that falls silent counts. */
export function isWatched(rollout: Rollout | undefined): boolean {
  return rollout?.state === "running" || rollout?.state === "paused";
}

/** Members whose devices were heard meanwhile have as long again, in one unit of work. */
export async function putOffHeard(
  fleet: Fleet,
  overdue: readonly MemberRow[],
): Promise<readonly MemberRow[]> {
  const heard = new Map<MemberRow, number>();
  for (const member of overdue) {
    const entry = fleet.memory.devices.find(member.device_id as DeviceEntry["id"]);
    if (member.state !== "updated" || entry === null || entry.action !== null) continue;
    if (!isWatched(fleet.memory.rollouts.get(member.rollout_id))) continue;
    const silentAtMs = silentAt(fleet, entry);
    if (silentAtMs > fleet.time.nowMs()) heard.set(member, silentAtMs);
  }
  if (heard.size === 0) return overdue;
  await fleet.database.write(async ({ db }) => {
    for (const [member, silentAtMs] of heard) await setDue(db, member, silentAtMs);
  });
  return overdue.filter((member) => !heard.has(member));
}

/** The time is over in which an updated member was to be heard of. */
export async function judgeUpdated(change: DeviceChange, member: MemberRow): Promise<void> {
  const { fleet, entry } = change;
  const rollout = fleet.memory.rollouts.get(member.rollout_id);
  const nowMs = fleet.time.nowMs();
  let dueMs: number | null = null;
  const isItsAction = change.action?.rollout_id === member.rollout_id;
  if (change.action !== null && isItsAction && rollout !== undefined) {
    const endsAtMs = member.changed_service_ms + rollout.definition.actionSeconds * 1000;
    if (nowMs >= endsAtMs) await closeIfDone(change, change.action);
    else dueMs = endsAtMs;
  }
  if (isWatched(rollout)) {
    const periodMs = silentMsOf(fleet, entry.row);
    const silentAtMs = change.serverWasOut(member) ? nowMs + periodMs : silentAt(fleet, entry);
    if (nowMs >= silentAtMs) {
      await change.learn(member, "", { kind: "fell-silent" });
      const now = await change.memberOf(member.rollout_id);
      change.setState("silent", now?.reason ?? null);
      return;
    }
    dueMs = Math.min(dueMs ?? silentAtMs, silentAtMs);
  }
  await change.putOff(member, dueMs === null ? null : Math.ceil((dueMs - nowMs) / 1000));
}

/** The device is there again. */
export async function hearAgain(change: DeviceChange): Promise<void> {
  let state: "idle" | "updated" = "idle";
  for (const member of await change.members()) {
    if (member.state !== "silent") continue;
    await change.learn(member, "", { kind: "heard" });
    state = "updated";
  }
  if (change.row.state === "silent") change.setState(state, null);
}

/** Service time at which a device is silent: past its next wake, or a time after it was heard. */
function silentAt(fleet: Fleet, entry: DeviceEntry): number {
  const heardMs = entry.lastSeenServiceMs ?? fleet.time.startMs;
  return sleepsUntilMs(fleet, entry) ?? heardMs + silentMsOf(fleet, entry.row);
}

/** How long a device that runs the release may not be heard of. */
function silentMsOf({ pollSeconds }: Fleet, { connectivity }: DeviceRow): number {
  return silentSecondsOf({ pollSeconds, connectivity }) * 1000;
}
