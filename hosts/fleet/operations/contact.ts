import { compareVersions, parseVersion } from "../../../src/image/version.ts";
import { parseRunning, type Running } from "../../../src/protocol/running.ts";
import { isThrough } from "../rollout/member.ts";
import { findActiveAction } from "../storage/actions.ts";
import type { Queries } from "../storage/database.ts";
import { findDevice, insertDevice, listSpelledOtherwise } from "../storage/devices.ts";
import { addEvent } from "../storage/events.ts";
import type { MemberRow } from "../storage/rollouts.ts";
import { lastSeenResolutionMs, limits } from "../terms/limits.ts";
import { type DeviceId, parseDeviceId } from "../terms/names.ts";
import { versionKey } from "../terms/version-key.ts";
import { changeDevice } from "./change-device.ts";
import { decideInstruction } from "./decide.ts";
import type { DeviceChange } from "./device-change.ts";
import type { Fleet } from "./fleet.ts";
import { type DeviceEntry, isDecidedAt, newEntry } from "./known-devices.ts";
import { noteAwake } from "./next-wake.ts";
import { hearAgain } from "./silence.ts";
import { judgeStep } from "./steps.ts";

/**
 * A decision can end a stage, which is a new plan; then it is taken again, at most this often per
 * request.
 */
const decisionsMax = 3;
const runningHeaderCharactersMax = 512;

/**
 * What every authenticated request of a device does first: notes that the device is there and what
 * it runs. When nothing changed it touches memory only, whatever the size of the fleet.
 */
export async function noteContact(
  fleet: Fleet,
  entry: DeviceEntry,
  sentHeader: string | null,
): Promise<void> {
  // The header stays in memory as long as the device; a longer one is malformed in any case.
  const runningHeader = sentHeader?.slice(0, runningHeaderCharactersMax) ?? null;
  const nowUnixMs = fleet.clock.unixMs();
  entry.lastSeenAtUnixMs = nowUnixMs;
  entry.lastSeenServiceMs = fleet.time.nowMs();
  noteAwake(fleet, entry);
  const written = entry.row.last_seen_at;
  if (written === null || Math.abs(nowUnixMs - written) >= lastSeenResolutionMs)
    fleet.memory.devices.noteContactDue(entry);
  const isOther = runningHeader !== null && runningHeader !== entry.runningHeader;
  const isTold = isOther && fleet.paces.mayTellRunning(entry);
  for (let decisions = 0; decisions < decisionsMax; decisions++) {
    const isKnown = !isTold || runningHeader === entry.runningHeader;
    const isDecided = entry.decidedPlan === fleet.memory.plan.number;
    const isInTime = isDecidedAt(entry.decidedWhile, fleet.clock.unixMs());
    const isOpen = !isDecided || !isInTime || entry.row.state === "silent";
    if (isKnown && !isOpen && !fleet.admission.isTurn(entry)) return;
    const done = await changeDevice(fleet, entry, async (change) => {
      const decidedPlan = fleet.memory.plan.number;
      await hearAgain(change);
      if (isTold && runningHeader !== entry.runningHeader)
        await learnRunning(change, runningHeader);
      await decideInstruction(change);
      await change.finish(decidedPlan);
    });
    if (done === "gone") return;
  }
}

/**
 * The entry of a known device, read from the database at its first contact; null for an unknown
 * one.
 */
export async function findEntry(
  fleet: Fleet,
  idText: string,
  queries: Queries = fleet.database.queries,
): Promise<DeviceEntry | null> {
  const id = parseDeviceId(idText);
  if (id === null) return null;
  const known = fleet.memory.devices.find(id);
  if (known !== null) return known;
  const row = await findDevice(queries, id);
  if (row === null) return null;
  const action = await findActiveAction(queries, id);
  return fleet.memory.devices.keep(newEntry(row, action));
}

export interface NewDevice {
  readonly id: string;
  readonly hardware: string | null;
  readonly tokenMac: string | null;
}

/** Registers a device; a known one is answered as it is, with `created` false. */
export async function registerDevice(
  fleet: Fleet,
  device: NewDevice,
): Promise<
  | { ok: true; entry: DeviceEntry; created: boolean }
  | { ok: false; reason: "invalid-id" | "too-many-devices" }
  | { ok: false; reason: "spelled-otherwise"; knownAs: DeviceId }
> {
  const id = parseDeviceId(device.id);
  if (id === null) return { ok: false, reason: "invalid-id" };
  return fleet.database.write(async (unit) => {
    const known = await findEntry(fleet, id, unit.db);
    if (known !== null) return { ok: true, entry: known, created: false };
    const [knownAs] = await listSpelledOtherwise(unit.db, id);
    if (knownAs !== undefined) return { ok: false, reason: "spelled-otherwise", knownAs };
    if (fleet.memory.devices.registered >= limits.devicesMax)
      return { ok: false, reason: "too-many-devices" };
    const row = {
      id,
      token_sha256: null,
      token_mac: device.tokenMac,
      hardware: device.hardware,
      hardware_by_operator: device.hardware === null ? 0 : 1,
      created_at: unit.nowUnixMs,
      last_seen_at: null,
      running_version: null,
      running_hash: null,
      running_confirmed: null,
      state: "unknown" as const,
      reason: null,
      state_at: unit.nowUnixMs,
      attributes_wanted: 1,
      installed_action_id: null,
      auto_confirm_at: null,
      auto_confirm_initiator: null,
      auto_confirm_remark: null,
      configuration_version: null,
      known_from: null,
      region: null,
      timezone: null,
      connectivity: null,
      criticality: null,
      bootloader: null,
      battery: null,
      signal: null,
      running_version_key: null,
      next_wake_at: null,
      next_wake_service_ms: null,
      silent_at_service_ms: null,
    };
    await insertDevice(unit.db, row);
    const { hardware } = device;
    await addEvent(
      unit.db,
      { kind: "device-registered", deviceId: id, details: { hardware } },
      unit.nowUnixMs,
    );
    const entry = newEntry(row, null);
    unit.onCommit(() => fleet.memory.devices.add(entry));
    return { ok: true, entry, created: true };
  });
}

/** The image that runs, as the device tells it, is the one proof that a rollout takes. */
async function learnRunning(change: DeviceChange, header: string): Promise<void> {
  const running = parseRunning(header);
  change.unit.onCommit(() => {
    change.entry.runningHeader = header;
  });
  if (running === null) {
    // The device is served all the same: a defect in its header must not cut it off from its next
    // firmware.
    const kind = "running-header-malformed";
    const event = { kind, deviceId: change.id, details: { header: header.slice(0, 200) } };
    await addEvent(change.unit.db, event, change.unit.nowUnixMs);
    return;
  }
  const confirmed = running.confirmed ? 1 : 0;
  const { row } = change;
  const isUnchanged = row.running_hash === running.imageHash && row.running_confirmed === confirmed;
  const isFirst = row.running_hash === null;
  change.set({
    running_version: running.version,
    running_version_key: keyOf(running.version),
    running_hash: running.imageHash,
    running_confirmed: confirmed,
  });
  if (isUnchanged) return;
  for (const member of await change.members())
    await judgeMember(change, member, { running, before: row.running_hash });
  if (isFirst && change.row.state === "unknown") change.setState("idle", null);
}

/** `parseRunning` lets through what is no version of an image. */
function keyOf(text: string): string | null {
  const version = parseVersion(text);
  return version && versionKey(version);
}

async function judgeMember(
  change: DeviceChange,
  member: MemberRow,
  { running, before }: { readonly running: Running; readonly before: string | null },
): Promise<void> {
  if (await judgeStep(change, member, { running, before })) return;
  const image = change.imageOfMember(member);
  if (image?.kind !== "firmware") return;
  if (running.imageHash === image.imageHash && before !== null && before !== running.imageHash)
    await change.noteReplaced(member, before);
  const isNewerRelease = await movedOn(change, member, running);
  await change.learn(member, image.imageHash, {
    kind: "running",
    imageHash: running.imageHash,
    confirmed: running.confirmed,
    isNewerRelease,
    serverWasOut: change.serverWasOut(member),
  });
  const now = await change.memberOf(member.rollout_id);
  if (now === null || now.state === member.state) return;
  if (isThrough(now.state) || now.state === "trial") change.setState(now.state, now.reason);
}

/**
 * The device runs another image because it was sent there later, or because that image is newer.
 * What a downgrade replaced is newer too: whoever runs that again went back.
 */
async function movedOn(
  change: DeviceChange,
  member: MemberRow,
  running: Running,
): Promise<boolean> {
  const image = change.imageOfMember(member);
  const [target, version] = [parseVersion(image?.version ?? ""), parseVersion(running.version)];
  const mayGoDown =
    change.fleet.memory.rollouts.get(member.rollout_id)?.definition.allowDowngrade === true;
  const isNewer = target !== null && version !== null && compareVersions(version, target) > 0;
  if (isNewer && !mayGoDown) return true;
  const { replaced_hash: replaced } = member;
  if (isNewer && replaced !== null && replaced !== running.imageHash) return true;
  const { action, fleet } = change;
  const isSentOn = action !== null && action.rollout_id > member.rollout_id;
  if (isSentOn && fleet.memory.images.get(action.image_id)?.imageHash === running.imageHash)
    return true; // a stepping stone of a later rollout
  return (await change.members()).some(
    (other) =>
      other.rollout_id > member.rollout_id &&
      change.imageOf(other.rollout_id)?.imageHash === running.imageHash,
  );
}
