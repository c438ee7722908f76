import { type FleetWindows, type LastOpening, lastWindowOpens } from "../rollout/window-verdict.ts";
import { listTimeZones } from "../storage/windows.ts";
import { leaveTurn } from "../time/slices.ts";
import { windowsFor } from "./device-windows.ts";
import type { Fleet } from "./fleet.ts";
import type { Rollout } from "./memory.ts";

export interface WindowsOutlook extends LastOpening {
  /** Groups whose windows come before those of the rollout; their devices are not told apart. */
  readonly groups: readonly string[];
}

/** A zone that was not asked about yet costs about a millisecond. */
const zonesPerTurn = 16;

/**
 * When the last device's window will have come, by the rollout's own windows, from the counts of
 * its members in each time zone; null for a rollout without windows.
 */
export async function windowsOutlook(
  fleet: Fleet,
  rollout: Rollout,
): Promise<WindowsOutlook | null> {
  const { windows } = rollout;
  if (windows === null) return null;
  const { groups, ...own } = windowsFor(fleet.memory, rollout);
  const counts = await listTimeZones(fleet.database.queries, rollout.id);
  const nowUnixMs = fleet.clock.unixMs();
  const names = new Set([...windows.groups.keys(), ...groups.keys()]);
  let found: LastOpening = { lastOpensAtUnixMs: null, withoutTimeZone: 0, neverOpen: 0 };
  for (let from = 0; from < counts.length; from += zonesPerTurn) {
    const places = counts
      .slice(from, from + zonesPerTurn)
      .map(({ timezone, devices }) => ({ timezone, devices, groups: [] }));
    found = together(found, lastWindowOpens(places, { ...own, groups: none }, nowUnixMs));
    await leaveTurn();
  }
  return { ...found, groups: [...names].sort() };
}

const none: FleetWindows["groups"] = new Map();

function together(a: LastOpening, b: LastOpening): LastOpening {
  const [one, other] = [a.lastOpensAtUnixMs, b.lastOpensAtUnixMs];
  return {
    lastOpensAtUnixMs: one === null || other === null ? (one ?? other) : Math.max(one, other),
    withoutTimeZone: a.withoutTimeZone + b.withoutTimeZone,
    neverOpen: a.neverOpen + b.neverOpen,
  };
}
