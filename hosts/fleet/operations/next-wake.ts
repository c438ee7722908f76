import { sleepMsOf } from "../terms/next-wake.ts";
import type { Fleet } from "./fleet.ts";
import type { DeviceEntry } from "./known-devices.ts";
import type { NextWake } from "./wake-times.ts";

/** Attributes that tell when a device wakes next, the first that is there wins. */
const wakeAttributes = ["sluice-next-wake", "next-wake"] as const;

/** An announcement that differs from the written one by less is written with the next contact. */
const writtenResolutionMs = 60_000;
const graceMsMin = 15 * 60_000;
/** The clock of a sleeping chip goes wrong by some percent. */
const graceShare = 0.1;

/** The device tells when it wakes next; what is no such time is as if nobody had told it. */
export function announceWake(fleet: Fleet, entry: DeviceEntry, text: string): void {
  const nowUnixMs = fleet.clock.unixMs();
  const sleepMs = sleepMsOf(text, nowUnixMs);
  if (sleepMs === null) return;
  if (sleepMs === 0) {
    setWake(fleet, entry, null);
    return;
  }
  const pollMs = fleet.pollSeconds * 1000;
  const graceMs = Math.max(graceMsMin, 2 * pollMs) + Math.ceil(sleepMs * graceShare);
  const atServiceMs = fleet.time.nowMs() + sleepMs;
  setWake(fleet, entry, {
    atUnixMs: nowUnixMs + sleepMs,
    atServiceMs,
    silentAtServiceMs: atServiceMs + graceMs,
  });
}

/** What of the attributes that a device sent tells of its next wake. */
export function announceWakeIn(
  fleet: Fleet,
  entry: DeviceEntry,
  attributes: Readonly<Record<string, string>>,
): void {
  const text = wakeAttributes.map((key) => attributes[key]).find((value) => value !== undefined);
  if (text !== undefined) announceWake(fleet, entry, text);
}

/** The device is here: what it said of the time until now is over. */
export function noteAwake(fleet: Fleet, entry: DeviceEntry): void {
  const { nextWake } = entry;
  if (nextWake !== null && fleet.time.nowMs() >= nextWake.atServiceMs) setWake(fleet, entry, null);
}

/** `asleep` until its next wake, `silent` when that and a grace are past; null without one. */
export function contactOf(fleet: Fleet, nextWake: NextWake | null): "asleep" | "silent" | null {
  if (nextWake === null) return null;
  return fleet.time.nowMs() < nextWake.silentAtServiceMs ? "asleep" : "silent";
}

/** Service time until which nothing is to be heard of a device, by its word; null when it is. */
export function sleepsUntilMs(fleet: Fleet, { nextWake }: DeviceEntry): number | null {
  return contactOf(fleet, nextWake) === "asleep" ? (nextWake?.silentAtServiceMs ?? null) : null;
}

function setWake(fleet: Fleet, entry: DeviceEntry, nextWake: NextWake | null): void {
  entry.nextWake = nextWake;
  const [now, written] = [nextWake?.atServiceMs ?? null, entry.row.next_wake_service_ms];
  const isSame =
    now === null || written === null
      ? now === written
      : Math.abs(now - written) < writtenResolutionMs;
  if (!isSame) fleet.memory.devices.noteContactDue(entry);
}
