import type { JsonObject } from "../../../src/protocol/json.ts";
import { readGroupWindows } from "../rollout/windows-document.ts";
import { addEvent } from "../storage/events.ts";
import {
  deleteGroupWindows,
  findGroupWindows,
  type GroupWindowsRow,
  writeGroupWindows,
} from "../storage/windows.ts";
import type { Fleet } from "./fleet.ts";

/** Groups that may have windows for every rollout. */
export const groupsWithWindowsMax = 64;

/** When devices of a group may download and install, whatever rollout they are in. */
export interface GroupWindows {
  readonly group: string;
  readonly windows: JsonObject;
  readonly changedAtUnixMs: number;
}

export type GroupWindowsResult =
  | { readonly ok: true; readonly windows: GroupWindows; readonly created: boolean }
  | {
      readonly ok: false;
      readonly reason: "windows-invalid" | "too-many-windows";
      readonly message: string;
    };

/** Sets the windows of a group in place of those that it has. */
export async function setGroupWindows(
  fleet: Fleet,
  group: string,
  document: JsonObject,
): Promise<GroupWindowsResult> {
  const read = readGroupWindows(document);
  if (!read.ok) return { ok: false, reason: "windows-invalid", message: read.message };
  return fleet.database.write(async (unit): Promise<GroupWindowsResult> => {
    const { db, nowUnixMs } = unit;
    const created = (await findGroupWindows(db, group)) === undefined;
    if (created && fleet.memory.groupWindows.size >= groupsWithWindowsMax)
      return {
        ok: false,
        reason: "too-many-windows",
        message: `${groupsWithWindowsMax} groups have windows already, which is the most; remove those of another group first`,
      };
    const row = {
      device_group: group,
      document: JSON.stringify(keptOf(document)),
      changed_at: nowUnixMs,
    };
    await writeGroupWindows(db, row);
    const details = { group, windows: row.document };
    await addEvent(db, { kind: "group-windows-set", details }, nowUnixMs);
    unit.onCommit(() => fleet.memory.setGroupWindows(group, read.windows));
    return { ok: true, windows: windowsOfRow(row), created };
  });
}

/** False for a group that has none. */
export function removeGroupWindows(fleet: Fleet, group: string): Promise<boolean> {
  return fleet.database.write(async (unit) => {
    const { db, nowUnixMs } = unit;
    if ((await findGroupWindows(db, group)) === undefined) return false;
    await deleteGroupWindows(db, group);
    await addEvent(db, { kind: "group-windows-removed", details: { group } }, nowUnixMs);
    unit.onCommit(() => fleet.memory.setGroupWindows(group, null));
    return true;
  });
}

export function windowsOfRow(row: GroupWindowsRow): GroupWindows {
  const { device_group: group, changed_at: changedAtUnixMs } = row;
  return { group, windows: JSON.parse(row.document), changedAtUnixMs };
}

/** What counts of a document; the rest is not kept. */
function keptOf(document: JsonObject): JsonObject {
  const names = ["timeZone", "fallbackTimeZone", "download", "install"];
  return Object.fromEntries(Object.entries(document).filter(([name]) => names.includes(name)));
}
