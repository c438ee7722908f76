import { configurationAttribute, parseConfigurationVersion } from "../../../src/protocol/ddi.ts";
import { type AttributeMode, readAttributes, writeAttributes } from "../storage/devices.ts";
import { addEvent } from "../storage/events.ts";
import { limits } from "../terms/limits.ts";
import { changeDevice } from "./change-device.ts";
import { decideInstruction } from "./decide.ts";
import type { Fleet } from "./fleet.ts";
import type { DeviceEntry } from "./known-devices.ts";
import { announceWakeIn } from "./next-wake.ts";
import { setRegistry } from "./registry.ts";

/**
 * Attributes that tell the hardware id, the first that is there wins; an operator's word goes
 * before both.
 */
const hardwareAttributes = ["sluice-hardware", "hardware"] as const;

/** Stores the attributes of a device (`PUT configData`). */
export async function receiveAttributes(
  fleet: Fleet,
  entry: DeviceEntry,
  change: { readonly mode: AttributeMode; readonly data: Readonly<Record<string, string>> },
): Promise<"accepted" | "too-many-attributes" | "gone"> {
  return changeDevice(fleet, entry, async (device) => {
    const decidedPlan = fleet.memory.plan.number;
    const attributesMax = limits.attributesPerDeviceMax;
    if (!(await writeAttributes(device.unit.db, entry.id, { ...change, attributesMax })))
      return "too-many-attributes";
    const hardware = hardwareAttributes.map((key) => change.data[key]).find((value) => value);
    if (change.mode !== "remove")
      device.unit.onCommit(() => announceWakeIn(fleet, entry, change.data));
    const isTold = change.mode !== "remove" && hardware !== undefined;
    if (isTold && device.row.hardware_by_operator === 0) device.set({ hardware });
    device.set({ attributes_wanted: 0, ...configurationIn(change) });
    await setRegistry(device);
    await device.judgeConfigurations();
    await decideInstruction(device);
    await device.finish(decidedPlan);
    return "accepted";
  });
}

/** The version of the configuration in effect; an attribute that is no version tells of none. */
function configurationIn(change: {
  readonly mode: AttributeMode;
  readonly data: Readonly<Record<string, string>>;
}): { configuration_version?: number | null } {
  const text = change.data[configurationAttribute];
  if (text === undefined) return change.mode === "replace" ? { configuration_version: null } : {};
  const version = change.mode === "remove" ? null : parseConfigurationVersion(text);
  return { configuration_version: version };
}

/**
 * Notes what a device says that it has installed; `new` the first time. It is kept as attributes,
 * because only
 * `Sluice-Running` counts as the image that runs.
 */
export async function receiveInstalled(
  fleet: Fleet,
  entry: DeviceEntry,
  installed: { readonly name: string; readonly version: string },
): Promise<"new" | "known" | "gone"> {
  return changeDevice(fleet, entry, async ({ unit }) => {
    const before = await readAttributes(unit.db, entry.id);
    const data = { "installed-name": installed.name, "installed-version": installed.version };
    const isNew = Object.entries(data).some(([key, value]) => before[key] !== value);
    const attributesMax = limits.attributesPerDeviceMax + Object.keys(data).length;
    await writeAttributes(unit.db, entry.id, { mode: "merge", data, attributesMax });
    if (isNew)
      await addEvent(
        unit.db,
        { kind: "device-says-installed", deviceId: entry.id, details: { ...installed } },
        unit.nowUnixMs,
      );
    return isNew ? "new" : "known";
  });
}

/** An event that a device sent (`POST events`), read and checked. */
export interface DeviceEvent {
  /** `<bootId>-<sequence>`: unique per device, so that a repeated event is kept once. */
  readonly id: string;
  readonly type: string;
  readonly atUptimeMs: number | null;
  readonly unixMs: number | null;
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

export async function receiveEvents(
  fleet: Fleet,
  entry: DeviceEntry,
  events: readonly DeviceEvent[],
): Promise<{ accepted: number; duplicates: number } | "gone"> {
  return changeDevice(fleet, entry, async ({ unit }) => {
    let accepted = 0;
    for (const event of events) {
      const { id, type, atUptimeMs, unixMs, details } = event;
      const isNew = await addEvent(
        unit.db,
        {
          kind: `device.${type}`,
          deviceId: entry.id,
          deviceEventId: id,
          details: {
            ...(atUptimeMs === null ? {} : { atUptimeMs }),
            ...(unixMs === null ? {} : { unixMs }),
            ...details,
          },
        },
        unit.nowUnixMs,
      );
      if (isNew) accepted += 1;
    }
    return { accepted, duplicates: events.length - accepted };
  });
}
