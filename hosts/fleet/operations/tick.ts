import { awaitsProof, isOpen, isTriedAgain } from "../rollout/member.ts";
import { wakeColumns, writeLastSeen } from "../storage/devices.ts";
import { pruneEvents } from "../storage/events.ts";
import { listOverdue, type MemberRow, setDue } from "../storage/rollouts.ts";
import { limits } from "../terms/limits.ts";
import { noteRates } from "./admission.ts";
import { endAction, evidenceOfCancel } from "./cancel.ts";
import { changeDevice } from "./change-device.ts";
import { findEntry } from "./contact.ts";
import { allowRetry, closeIfDone } from "./decide.ts";
import type { DeviceChange } from "./device-change.ts";
import { evaluateRollout } from "./evaluate.ts";
import type { Fleet } from "./fleet.ts";
import type { DeviceEntry } from "./known-devices.ts";
import { sleepsUntilMs } from "./next-wake.ts";
import { undecided } from "./plan.ts";
import { judgeUpdated, putOffHeard } from "./silence.ts";

/**
 * What time alone brings about: overdue proofs, soaks that end, stragglers let go; and the last
 * contacts that only memory knew. Every part is bounded; what is left over comes at the next tick.
 */
export async function tickFleet(fleet: Fleet): Promise<void> {
  const { overduePerTickMax } = limits;
  const overdueNow = await listOverdue(
    fleet.database.queries,
    fleet.time.nowMs(),
    overduePerTickMax,
  );
  for (const overdue of await putOffHeard(fleet, overdueNow))
    await judgeOverdue(fleet, overdue.device_id, overdue.rollout_id);
  await noteRates(fleet);
  const underWay = [...fleet.memory.rollouts.values()].filter(
    ({ state }) => state === "running" || state === "paused",
  );
  for (const { id } of underWay)
    await fleet.database.write((unit) => evaluateRollout(unit, fleet, id));
  await writeBatch(fleet, fleet.memory.devices.contactsDue(limits.lastSeenPerTickMax));
}

/** Writes the last contacts that are not on the disk: all of them, for a server that closes. */
export async function writeAllContacts(fleet: Fleet): Promise<void> {
  const stale = fleet.memory.devices.contactsUnwritten();
  for (let from = 0; from < stale.length; from += limits.lastSeenPerTickMax)
    await writeBatch(fleet, stale.slice(from, from + limits.lastSeenPerTickMax));
}

/** Keeps the stream of events within its bound. */
export function pruneStream(fleet: Fleet): Promise<boolean> {
  const keptMax = { count: limits.eventsKeptMax, bytes: limits.eventBytesKeptMax };
  return fleet.database.write((unit) => pruneEvents(unit.db, keptMax));
}

/**
 * Who owes a proof is unproven now; who missed the server through no fault of its own may try
 * again; an action of which nothing is heard, or whose end only the running image told, and a
 * cancellation that nobody answers, are over.
 */
async function judgeOverdue(fleet: Fleet, deviceId: string, rolloutId: number): Promise<void> {
  const entry = await findEntry(fleet, deviceId);
  if (entry === null) return;
  await changeDevice(fleet, entry, async (change) => {
    const member = await change.memberOf(rolloutId);
    if (member === null || (member.proof_due_at ?? Number.POSITIVE_INFINITY) > fleet.time.nowMs())
      return;
    if (isTriedAgain(member.state)) {
      const releaseId = fleet.memory.rollouts.get(rolloutId)?.releaseId;
      await change.learn(member, "", { kind: "retry-due" });
      if (releaseId !== undefined) await allowRetry(change, releaseId);
    } else if (await letSleep(change, member)) {
      // Asleep is not offline: it is judged when it was to have come.
    } else if (member.state === "updated") await judgeUpdated(change, member);
    else if (isOpen(member.state)) await endSilent(change, member);
    else if (member.state === "unproven") await endUnproven(change, member);
    else if (awaitsProof(member.state)) {
      const imageHash = change.imageOfMember(member)?.imageHash ?? "";
      await change.learn(member, imageHash, { kind: "proof-overdue" });
      change.setState("unproven", (await change.memberOf(rolloutId))?.reason ?? null);
    } else {
      // The member is through, and never said so; or nothing is waited for, and it must not come
      // due again.
      if (change.action?.rollout_id === rolloutId) await closeIfDone(change, change.action);
      await change.putOff(member, null);
    }
    await change.finish(undecided);
  });
}

/**
 * A device that sleeps, as it announced, has until its next wake. One that came since its own time
 * was over had that, and has no more.
 */
async function letSleep(change: DeviceChange, member: MemberRow): Promise<boolean> {
  const { entry, fleet } = change;
  const untilMs = sleepsUntilMs(fleet, entry);
  const definition = fleet.memory.rollouts.get(member.rollout_id)?.definition;
  if (untilMs === null || definition === undefined) return false;
  if (!isOpen(member.state) && !awaitsProof(member.state)) return false;
  const seconds = isOpen(member.state) ? definition.actionSeconds : definition.proofSeconds;
  const ownEndMs = member.changed_service_ms + seconds * 1000;
  if ((entry.lastSeenServiceMs ?? Number.NEGATIVE_INFINITY) > ownEndMs) return false;
  await change.putOff(member, Math.ceil((untilMs - fleet.time.nowMs()) / 1000));
  return true;
}

async function endSilent(change: DeviceChange, member: MemberRow): Promise<void> {
  const { action } = change;
  const isItsAction = action?.rollout_id === member.rollout_id;
  const isCancelling = isItsAction && action !== null && action.status === "canceling";
  const evidence = isCancelling ? evidenceOfCancel(action) : ({ kind: "silence" } as const);
  await change.learn(member, "", evidence);
  const why = isCancelling ? "cancel-not-answered" : `silent-after-${member.state}`;
  if (action !== null && isItsAction) await endAction(change, action, { status: "canceled", why });
}

/** Nothing proved how its action ended, for as long again as an action has: it is open no more. */
async function endUnproven(change: DeviceChange, member: MemberRow): Promise<void> {
  const { action } = change;
  await setDue(change.unit.db, member, null);
  if (action?.rollout_id === member.rollout_id)
    await endAction(change, action, { status: "failed", why: "never-proven" });
}

async function writeBatch(fleet: Fleet, due: readonly DeviceEntry[]): Promise<void> {
  if (due.length === 0) return;
  await fleet.database.write(async (unit) => {
    const contacts = due.map((entry) => ({
      id: entry.id,
      atUnixMs: entry.lastSeenAtUnixMs ?? unit.nowUnixMs,
      knownFrom: entry.knownFrom,
      nextWake: entry.nextWake,
    }));
    await writeLastSeen(unit.db, contacts);
    unit.onCommit(() => {
      for (const [index, entry] of due.entries()) {
        entry.row = {
          ...entry.row,
          last_seen_at: contacts[index]?.atUnixMs ?? null,
          known_from: contacts[index]?.knownFrom ?? null,
          ...wakeColumns(contacts[index]?.nextWake ?? null),
        };
        fleet.memory.devices.noteContactWritten(entry);
      }
    });
  });
}
