/** What devices count, as the control group compares it. */
export interface ControlMetric {
  /** `events` are counted; `amount` is a sum over the time, as a level is times hours. */
  readonly kind: "events" | "amount";
  readonly worse: "more" | "less";
  /** The share of the waiting devices' value that a difference has at least to matter. */
  readonly leastEffect: number;
  /** What a value is told as. */
  readonly unit: string;
}

const events = {
  kind: "events",
  worse: "more",
  leastEffect: 0.25,
  unit: "a device and day",
} as const;

/** Metrics that every device has a word for; names are those of the body of `POST counters`. */
export const controlMetrics = {
  crashes: events,
  boots: events,
  disconnects: events,
  heartbeatsMissed: events,
  errorLogs: events,
  batteryDrain: { kind: "amount", worse: "more", leastEffect: 0.03, unit: "percent an hour" },
  freeMemory: { kind: "amount", worse: "less", leastEffect: 0.03, unit: "bytes" },
} as const satisfies Record<string, ControlMetric>;

export const controlMetricNames = Object.keys(controlMetrics) as readonly ControlMetricName[];

export type ControlMetricName = keyof typeof controlMetrics;

/** Counters of the application are `application.NAME`: of what they count, more is worse. */
export const applicationPrefix = "application.";
export const applicationMetricsMax = 16;
/** What part of the level the application's counters share; the others have the rest. */
const applicationShare = 0.2;

export function metricOf(name: string): ControlMetric | null {
  if (name.startsWith(applicationPrefix)) return events;
  return Object.hasOwn(controlMetrics, name) ? controlMetrics[name as ControlMetricName] : null;
}

/** The level of one metric, so that all together are wrong no more often than `level`. */
export function levelOf(name: string, level: number): number {
  return name.startsWith(applicationPrefix)
    ? (level * applicationShare) / applicationMetricsMax
    : (level * (1 - applicationShare)) / controlMetricNames.length;
}

/** How the control group of a rollout judges; null has none. */
export interface ControlSettings {
  /** The probability that a release which is no worse is stopped. */
  readonly level: number;
  /** By the name of the metric, `application` for all of the application's; others as usual. */
  readonly leastEffect: Readonly<Record<string, number>>;
  /** Metrics of which an operator accepted that updated devices are worse. */
  readonly accepted: readonly string[];
}

export const defaultControl: ControlSettings = { level: 0.05, leastEffect: {}, accepted: [] };

/** The names that `leastEffect` knows. */
export const leastEffectNames = [...controlMetricNames, "application"] as const;

export function leastEffectOf(name: string, { leastEffect }: ControlSettings): number {
  const key = name.startsWith(applicationPrefix) ? "application" : name;
  return leastEffect[key] ?? metricOf(name)?.leastEffect ?? events.leastEffect;
}
