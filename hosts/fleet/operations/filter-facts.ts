import type { DeviceFacts } from "../filter/fields.ts";
import type { Queries } from "../storage/database.ts";
import { type DeviceRow, readAttributes } from "../storage/devices.ts";
import { listLabels } from "../storage/registry.ts";
import type { DeviceId } from "../terms/names.ts";

/** What a filter may ask that is not in the row of a device. */
export type FilterFacts = Pick<DeviceFacts, "tag" | "group" | "attribute">;

export async function readFilterFacts(db: Queries, deviceId: DeviceId): Promise<FilterFacts> {
  return {
    tag: new Set(await listLabels(db, deviceId, "tag")),
    group: new Set(await listLabels(db, deviceId, "group")),
    attribute: new Map(Object.entries(await readAttributes(db, deviceId))),
  };
}

export function factsOfRow(row: DeviceRow): Omit<DeviceFacts, keyof FilterFacts> {
  const { id, hardware, state, reason, region, timezone, connectivity, criticality } = row;
  const { bootloader, battery, signal } = row;
  return {
    id,
    hardware,
    version: row.running_version,
    confirmed: row.running_confirmed === null ? null : row.running_confirmed === 1,
    configuration: row.configuration_version,
    state,
    reason,
    region,
    timezone,
    connectivity,
    criticality,
    bootloader,
    battery,
    signal,
    created: row.created_at,
    seen: row.last_seen_at,
    wake: row.next_wake_at,
  };
}
