import { readAttributes } from "../storage/devices.ts";
import { addEvent } from "../storage/events.ts";
import {
  addLabel,
  listLabels,
  readRegistrations,
  removeLabel,
  writeRegistration,
} from "../storage/registry.ts";
import type { LabelKind } from "../storage/tables.ts";
import {
  columnsOfRegistry,
  labelsPerDeviceMax,
  type RegistryField,
  registryFields,
  whyNotRegistered,
} from "../terms/registry.ts";
import { changeDevice } from "./change-device.ts";
import { decideInstruction } from "./decide.ts";
import type { DeviceChange } from "./device-change.ts";
import type { Fleet } from "./fleet.ts";
import type { DeviceEntry } from "./known-devices.ts";

export interface LabelChange {
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
}

/** What an operator says of a device; null takes a word back, what is absent stays. */
export interface RegistryChange {
  readonly fields: Readonly<Partial<Record<RegistryField, string | null>>>;
  readonly labels: Readonly<Partial<Record<LabelKind, LabelChange>>>;
}

export type RegistryResult =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly reason: "gone" | "value-invalid" | "too-many-labels";
      readonly message: string;
    };

/** Sets what an operator knows of a device: all of it, or nothing. */
export async function registerFacts(
  fleet: Fleet,
  entry: DeviceEntry,
  change: RegistryChange,
): Promise<RegistryResult> {
  for (const field of registryFields) {
    const value = change.fields[field];
    const why = value == null ? null : whyNotRegistered(field, value);
    if (why !== null) return { ok: false, reason: "value-invalid", message: why };
  }
  const done = await changeDevice(fleet, entry, async (device): Promise<RegistryResult> => {
    const decidedPlan = fleet.memory.plan.number;
    const { db, nowUnixMs } = device.unit;
    for (const kind of ["tag", "group"] as const) {
      const tooMany = await changeLabels(device, kind, change.labels[kind] ?? {});
      if (tooMany !== null) throw new TooManyLabels(tooMany);
    }
    for (const field of registryFields) {
      const value = change.fields[field];
      if (value !== undefined) await writeRegistration(db, device.id, field, value);
    }
    await setRegistry(device);
    const details = { ...change.fields, ...change.labels };
    await addEvent(db, { kind: "device-registry-set", deviceId: device.id, details }, nowUnixMs);
    await decideInstruction(device);
    await device.finish(decidedPlan);
    return { ok: true };
  }).catch((error: unknown): RegistryResult => {
    if (!(error instanceof TooManyLabels)) throw error;
    return { ok: false, reason: "too-many-labels", message: error.message };
  });
  if (done !== "gone") return done;
  return { ok: false, reason: "gone", message: `there is no device ${entry.id}` };
}

/** Undoes the unit of work; never leaves this file. */
class TooManyLabels extends Error {}

async function changeLabels(
  device: DeviceChange,
  kind: LabelKind,
  { add = [], remove = [] }: LabelChange,
): Promise<string | null> {
  const { db } = device.unit;
  for (const label of remove) await removeLabel(db, device.id, kind, label);
  for (const label of add) await addLabel(db, device.id, kind, label);
  if (add.length === 0) return null;
  const { length } = await listLabels(db, device.id, kind);
  return length > labelsPerDeviceMax
    ? `a device has at most ${labelsPerDeviceMax} ${kind}s, and ${device.id} would have ${length}`
    : null;
}

/** Brings the columns up to what the operator set and the device told. */
export async function setRegistry(device: DeviceChange): Promise<void> {
  const { db } = device.unit;
  const set = await readRegistrations(db, device.id);
  device.set(columnsOfRegistry(set, await readAttributes(db, device.id)));
  await device.judgeBattery();
}
