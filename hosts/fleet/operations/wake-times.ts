import type { DeviceRow } from "../storage/devices.ts";

/** When a device wakes, as it told. */
export interface NextWake {
  /** For people. */
  readonly atUnixMs: number;
  /** Service time. */
  readonly atServiceMs: number;
  /** Service time. A device that was not heard by then is silent. */
  readonly silentAtServiceMs: number;
}

/** The announcement as it was written; null when there is none. */
export function wakeOfRow(row: DeviceRow): NextWake | null {
  const { next_wake_at: at, next_wake_service_ms: service, silent_at_service_ms: silent } = row;
  if (at === null || service === null || silent === null) return null;
  return { atUnixMs: at, atServiceMs: service, silentAtServiceMs: silent };
}
