import { isOf, letters } from "../image/text-parts.ts";
import type { ResetReason } from "../ports/board.ts";
import { encodeJson } from "./json.ts";

/** Counters of the application that one report may have. */
export const applicationCountersMax = 16;
/** The server takes no higher count, and no longer span. */
export const countMax = 1_000_000;
const spanMsMax = 7 * 24 * 3_600_000;

/** What a device counted since its last report. */
export interface CounterReport {
  /** `<bootId>-<number of the report in the boot>`: the server takes each once. */
  readonly id: string;
  readonly spanMs: number;
  /** Why the chip started in this span; null when it did not. */
  readonly started: ResetReason | null;
  readonly disconnects: number;
  readonly heartbeatsMissed: number;
  readonly errorLogs: number;
  /** The least that there was; null where the board does not tell. */
  readonly freeMemoryBytes: number | null;
  /** What the battery lost; null without one, and after charging. */
  readonly batteryDrainPercent: number | null;
  readonly application: Readonly<Record<string, number>>;
}

/** The body of `POST .../counters`, brought into the bounds that the server has. */
export function encodeCounters(report: CounterReport): Uint8Array {
  const { id, started, freeMemoryBytes, batteryDrainPercent, application } = report;
  const isCrash = started === "exception" || started === "watchdog";
  return encodeJson({
    id,
    spanMs: Math.min(Math.max(1, Math.round(report.spanMs)), spanMsMax),
    ...(started !== null && { boots: { [started]: 1 } }),
    crashes: isCrash ? 1 : 0,
    disconnects: Math.min(report.disconnects, countMax),
    heartbeatsMissed: Math.min(report.heartbeatsMissed, countMax),
    errorLogs: Math.min(report.errorLogs, countMax),
    ...(freeMemoryBytes !== null && { freeMemoryBytes: Math.max(0, freeMemoryBytes) }),
    ...(batteryDrainPercent !== null && { batteryDrainPercent }),
    ...(Object.keys(application).length > 0 && { application }),
  });
}

/** A letter, and up to 31 more of letters, digits, `_` and `-`. */
export function isCounterName(name: string): boolean {
  return isOf(name.slice(0, 1), letters, 1, 1) && isOf(name.slice(1), "A-Za-z0-9_-", 0, 31);
}
