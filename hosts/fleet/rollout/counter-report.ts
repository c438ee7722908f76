import type { Arm, Reading } from "./control-group.ts";
import { applicationPrefix } from "./control-metrics.ts";

/** What a device counted since its last report (`POST counters`), read and checked. */
export interface CounterReport {
  /** The boot in which it was counted, and the number of the report in it. */
  readonly bootId: string;
  readonly sequence: number;
  readonly spanMs: number;
  /** Starts of the chip, by their reason. */
  readonly boots: Readonly<Record<string, number>>;
  readonly crashes: number;
  readonly disconnects: number;
  readonly heartbeatsMissed: number;
  readonly errorLogs: number;
  readonly freeMemoryBytes: number | null;
  /** Percent of a full battery that were used, without charging, in the span. */
  readonly batteryDrainPercent: number | null;
  readonly application: Readonly<Record<string, number>>;
}

/** Reasons of a start that speak against nothing: somebody wanted it. */
const wantedBoots: readonly string[] = ["software", "deep-sleep"];

const hourMs = 3_600_000;
/** What is told of a moment is taken for so long, or its rate would be beyond all others. */
const spanMsMin = 600_000;
/** Longer silence is no time in which the device is known to have run. */
const startMsMax = 24 * hourMs;

/**
 * The report by metric. A device that crashes tells of it in its next boot, whose span is short:
 * `sinceLastMs`, since the report before, is the time in which starts could have come.
 */
export function readingsOf(
  report: CounterReport,
  sinceLastMs: number | null,
): Readonly<Record<string, Reading>> {
  const hours = Math.max(report.spanMs, spanMsMin) / hourMs;
  const startHours = Math.max(hours, Math.min(sinceLastMs ?? 0, startMsMax) / hourMs);
  const boots = Object.entries(report.boots).reduce(
    (sum, [reason, count]) => sum + (wantedBoots.includes(reason) ? 0 : count),
    0,
  );
  const starts: Record<string, Reading> = {
    crashes: { hours: startHours, amount: report.crashes },
    boots: { hours: startHours, amount: boots },
  };
  if (hasStarted(report)) return starts;
  const readings: Record<string, Reading> = {
    ...starts,
    disconnects: { hours, amount: report.disconnects },
    heartbeatsMissed: { hours, amount: report.heartbeatsMissed },
    errorLogs: { hours, amount: report.errorLogs },
  };
  const { freeMemoryBytes, batteryDrainPercent } = report;
  if (freeMemoryBytes !== null) readings["freeMemory"] = { hours, amount: freeMemoryBytes * hours };
  if (batteryDrainPercent !== null)
    readings["batteryDrain"] = { hours, amount: batteryDrainPercent };
  for (const [name, count] of Object.entries(report.application))
    readings[applicationPrefix + name] = { hours, amount: count };
  return readings;
}

/**
 * What a device does at its start it does seldom, and updated devices have started just now: such a
 * span tells of starts alone. A device that wakes for each report has no other ones.
 */
function hasStarted({ boots }: CounterReport): boolean {
  return Object.entries(boots).some(([reason, count]) => count > 0 && reason !== "deep-sleep");
}

/** A device may need so long from its start on the release to where the server counts it. */
const trialMsMax = 600_000;

/**
 * In which arm the report counts; null of a member that is on its way, or went back, and of a
 * report that began before the release ran.
 */
export function armOf(
  member: { readonly state: string; readonly changed_service_ms: number },
  report: Pick<CounterReport, "spanMs">,
  nowMs: number,
): Arm | null {
  if (member.state === "waiting") return "waiting";
  if (member.state !== "updated") return null;
  return report.spanMs <= nowMs - member.changed_service_ms + trialMsMax ? "updated" : null;
}

/** Reports and sums of devices of one kind in one hour, by metric. */
export interface CohortSums {
  reports: number;
  readonly metrics: Record<string, { hours: number; amount: number }>;
}

export function addToCohort(sums: CohortSums, readings: Readonly<Record<string, Reading>>): void {
  sums.reports += 1;
  for (const [name, { hours, amount }] of Object.entries(readings)) {
    if (sums.metrics[name] === undefined && Object.keys(sums.metrics).length >= cohortMetricsMax)
      continue;
    sums.metrics[name] ??= { hours: 0, amount: 0 };
    sums.metrics[name].hours += hours;
    sums.metrics[name].amount += amount;
  }
}

/** The application's counters are named by its devices. */
const cohortMetricsMax = 64;
