import type { WindowStep } from "../../../src/policy/windows.ts";
import { type FleetWindows, judgeWindow } from "../rollout/window-verdict.ts";
import type { DeviceChange } from "./device-change.ts";
import type { FleetMemory, Rollout } from "./memory.ts";
import type { ReleaseFile } from "./releases.ts";

/** All the windows that count for the devices of a rollout. */
export function windowsFor(
  memory: FleetMemory,
  { windows }: Pick<Rollout, "windows">,
): FleetWindows {
  return { rollout: windows, groups: memory.groupWindows };
}

/**
 * May the device take the step now? Null when no windows count for it. What is decided by the
 * answer is decided again when a window opens or closes, and when the clock steps back.
 */
export async function mayTakeStep(
  change: DeviceChange,
  rollout: Rollout,
  step: WindowStep,
): Promise<boolean | null> {
  const windows = windowsFor(change.fleet.memory, rollout);
  const hasGroups = windows.groups.size > 0 || (windows.rollout?.groups.size ?? 0) > 0;
  if (windows.rollout === null && !hasGroups) return null;
  const groups = hasGroups ? await change.groups() : [];
  const place = { timezone: change.row.timezone, groups };
  const { open, untilUnixMs } = judgeWindow(step, windows, place, change.unit.nowUnixMs);
  if (open !== null) change.holdUntil(untilUnixMs);
  return open;
}

/**
 * Is the device to wait with its download? A security fix that both the server forces and the
 * release's signature allows is offered all the same: the device judges by the same rule.
 */
export async function isDownloadClosed(
  change: DeviceChange,
  rollout: Rollout,
  image: ReleaseFile | undefined,
): Promise<boolean> {
  const bySignedRelease = image?.kind === "firmware" && image.release.windowOverride;
  if (rollout.definition.mode === "forced" && bySignedRelease) return false;
  return (await mayTakeStep(change, rollout, "download")) === false;
}
