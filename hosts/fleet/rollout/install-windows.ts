import {
  decodeWindows,
  isOpen,
  type MaintenanceWindows,
  nextOpening,
} from "../../../src/policy/windows.ts";
import type { JsonObject } from "../../../src/protocol/json.ts";

export type InstallWindows =
  | { readonly ok: true; readonly windows: MaintenanceWindows }
  | { readonly ok: false; readonly message: string };

/**
 * The windows of a rollout: its `install` list alone, which DDI has a word for
 * (`maintenanceWindow`). Download windows are the device's own, in its configuration.
 */
export function readInstallWindows(document: JsonObject): InstallWindows {
  const decoded = decodeWindows(document);
  if (!decoded.ok)
    return {
      ok: false,
      message: `${decoded.at} of the windows is ${decoded.reason}; docs/windows.md tells the form`,
    };
  const { download, install } = decoded.windows;
  if (download !== null || install === null)
    return {
      ok: false,
      message:
        "the windows of a rollout have `install` and no `download`; give devices their download windows in a configuration",
    };
  return { ok: true, windows: decoded.windows };
}

export function mayInstall(windows: MaintenanceWindows, nowUnixMs: number): boolean {
  return isOpen(windows.install, windows.zone, nowUnixMs);
}

/** Null when one is open, or none ever comes. */
export function opensAt(windows: MaintenanceWindows, nowUnixMs: number): number | null {
  return mayInstall(windows, nowUnixMs)
    ? null
    : nextOpening(windows.install, windows.zone, nowUnixMs);
}
