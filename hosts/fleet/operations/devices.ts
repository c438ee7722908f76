import { randomBytes } from "node:crypto";
import { weakness } from "../access/tokens.ts";
import { deleteDevice, deleteRefusals } from "../storage/devices.ts";
import { noteRemovedTime } from "../storage/director-times.ts";
import { addEvent } from "../storage/events.ts";
import { listBadMembers, listMemberships, uncountMember } from "../storage/rollouts.ts";
import { limits } from "../terms/limits.ts";
import type { DeviceId } from "../terms/names.ts";
import { askToGiveBack, endAction, takenBack } from "./cancel.ts";
import { changeDevice } from "./change-device.ts";
import { findEntry, registerDevice } from "./contact.ts";
import { allowRetry, closeIfDone, decideInstruction } from "./decide.ts";
import { evaluateRollout } from "./evaluate.ts";
import type { Fleet } from "./fleet.ts";
import type { DeviceEntry } from "./known-devices.ts";
import type { Rollout } from "./memory.ts";

const tokenBytes = 24;

export type AddedDevice =
  | { readonly ok: true; readonly entry: DeviceEntry; readonly token: string }
  | { readonly ok: false; readonly reason: "invalid-id" | "too-many-devices" | "device-exists" }
  | { readonly ok: false; readonly reason: "spelled-otherwise"; readonly knownAs: DeviceId }
  | { readonly ok: false; readonly reason: "weak-token"; readonly message: string };

/**
 * Registers a device for an operator and gives it a token, the only time that the token is told.
 */
export async function addDevice(
  fleet: Fleet,
  device: { readonly id: string; readonly hardware: string; readonly token: string | null },
): Promise<AddedDevice> {
  const weak = device.token === null ? null : weakness(device.token);
  if (weak !== null) return { ok: false, reason: "weak-token", message: weak };
  const token = device.token ?? randomBytes(tokenBytes).toString("base64url");
  const { id, hardware } = device;
  const made = await registerDevice(fleet, { id, hardware, tokenMac: fleet.tokens.mac(token) });
  if (!made.ok) return made;
  return made.created
    ? { ok: true, entry: made.entry, token }
    : { ok: false, reason: "device-exists" };
}

/**
 * Takes the action of a device back: asks the device, or, with `force`, ends it at once. A device
 * that is past its activation is only asked no more: it tells by what it runs how that ended.
 */
export async function cancelAction(
  fleet: Fleet,
  entry: DeviceEntry,
  force: boolean,
): Promise<"canceling" | "canceled" | "no-action" | "gone"> {
  return changeDevice(fleet, entry, async (change) => {
    const decidedPlan = fleet.memory.plan.number;
    const { action } = change;
    const rollout = action && fleet.memory.rollouts.get(action.rollout_id);
    if (action === null || rollout == null) return "no-action";
    const isDone = await closeIfDone(change, action);
    if (isDone) {
      // The device showed what became of it and never said so: there is nothing to ask.
    } else if (force) {
      const member = await change.memberOf(action.rollout_id);
      if (member !== null)
        await change.learn(member, "", { kind: "ineligible", reason: takenBack });
      await endAction(change, action, { status: "canceled", why: takenBack });
    } else await askToGiveBack(change, action, rollout);
    await decideInstruction(change);
    await change.finish(decidedPlan);
    return force || isDone ? "canceled" : "canceling";
  });
}

/** Lets a device be offered a release again that it rolled back or failed. */
export async function clearRefusal(
  fleet: Fleet,
  entry: DeviceEntry,
  releaseId: number,
): Promise<"cleared" | "nothing-to-clear" | "gone"> {
  return changeDevice(fleet, entry, async (change) => {
    const decidedPlan = fleet.memory.plan.number;
    const { unit } = change;
    const wasRefused = await deleteRefusals(unit.db, entry.id, releaseId);
    let isCleared = wasRefused;
    for (const member of await change.members()) {
      if (fleet.memory.rollouts.get(member.rollout_id)?.releaseId !== releaseId) continue;
      await change.learn(member, "", { kind: "cleared" });
      isCleared ||= (await change.memberOf(member.rollout_id))?.state !== member.state;
      if (member.state !== "withdrawn" || member.proof_due_at === null) continue;
      await change.putOff(member, null); // its pause is over
      isCleared = true;
    }
    if (!isCleared) return "nothing-to-clear";
    await allowRetry(change, releaseId);
    const releaseVersion = fleet.memory.releases.get(releaseId)?.version ?? "";
    await addEvent(
      unit.db,
      { kind: "refusal-cleared", deviceId: entry.id, releaseVersion },
      unit.nowUnixMs,
    );
    await decideInstruction(change);
    await change.finish(decidedPlan);
    return "cleared";
  });
}

/**
 * The same for every device of a rollout whose attempt ended badly, at most `clearedPerRequestMax`
 * at a time; `more` says that there are others.
 */
export async function clearRollout(
  fleet: Fleet,
  rollout: Rollout,
): Promise<{ readonly devices: readonly string[]; readonly more: boolean }> {
  const limit = limits.clearedPerRequestMax;
  const members = await listBadMembers(fleet.database.queries, rollout.id, limit);
  const devices: string[] = [];
  for (const member of members) {
    const entry = await findEntry(fleet, member.device_id);
    if (entry === null) continue;
    if ((await clearRefusal(fleet, entry, rollout.releaseId)) === "cleared") devices.push(entry.id);
  }
  return { devices, more: members.length === limit };
}

/** Takes a device out of the fleet: its token is void and no stage waits for it any more. */
export function removeDevice(fleet: Fleet, entry: DeviceEntry): Promise<"removed" | "gone"> {
  return changeDevice(fleet, entry, async ({ unit }) => {
    const members = await listMemberships(unit.db, entry.id);
    for (const member of members) await uncountMember(unit.db, member);
    await deleteDevice(unit.db, entry.id);
    await noteRemovedTime(unit.db, entry.id, fleet.time.nowMs());
    await addEvent(unit.db, { kind: "device-removed", deviceId: entry.id }, unit.nowUnixMs);
    for (const member of members) await evaluateRollout(unit, fleet, member.rollout_id);
    unit.onCommit(() => fleet.memory.devices.remove(entry));
    return "removed" as const;
  });
}
