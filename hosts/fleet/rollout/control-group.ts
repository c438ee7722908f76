import {
  applicationMetricsMax,
  applicationPrefix,
  type ControlMetric,
  type ControlSettings,
  leastEffectOf,
  levelOf,
  metricOf,
} from "./control-metrics.ts";
import {
  addEvents,
  addValue,
  differenceEvidence,
  differenceOf,
  type EventEvidence,
  logMean,
  noEventEvidence,
  type ValueSums,
} from "./sequential-test.ts";

/** Devices that run the release, and members of the same rollout that were not offered it yet. */
export type Arm = "updated" | "waiting";

/** What one report told of one metric: an amount over hours. */
export interface Reading {
  readonly hours: number;
  readonly amount: number;
}

/** What is known of one device in one arm, by metric. */
export type DeviceTotals = Record<string, DeviceMetric>;

interface DeviceMetric {
  hours: number;
  /** The amount, less what waiting devices of its kind told in the same hours. */
  excess: number;
  /** The last reading, held until its hour is over for all. */
  held: { hour: number; hours: number; amount: number } | null;
}

/** Sums of one metric among devices of one hardware and region. */
interface StratumMetric {
  readonly updated: ValueSums;
  readonly waiting: ValueSums;
  /** What happens in the hour that is not over. */
  now: HourCell;
  /** What waiting devices told in the hours that are, oldest first. */
  readonly usual: { readonly hour: number; readonly rate: number }[];
}

interface HourCell {
  readonly hour: number;
  readonly updated: CellSide;
  readonly waiting: CellSide;
}

interface CellSide {
  readings: number;
  hours: number;
  amount: number;
  hoursAtRisk: number;
  firstEvents: number;
}

interface MetricTotals {
  readonly strata: Record<string, StratumMetric>;
  readonly updated: ArmTotals;
  readonly waiting: ArmTotals;
  readonly evidence: EventEvidence;
}

/** Sums of hours that are over. */
interface ArmTotals {
  devices: number;
  hours: number;
  amount: number;
  hoursAtRisk: number;
  firstEvents: number;
}

/** Everything that a comparison knows, but for its devices: plain data, kept as JSON. */
export interface Comparison {
  /** Kinds of devices that are told apart. */
  readonly strata: string[];
  readonly metrics: Record<string, MetricTotals>;
}

export interface ControlVerdict {
  readonly metric: string;
  /** Means in the metric's unit, or devices that had an event. */
  readonly updated: { readonly devices: number; readonly value: number };
  readonly waiting: { readonly devices: number; readonly value: number };
  /** Passes the limit with at most `level` when the release is no worse. */
  readonly evidence: number;
  readonly limit: number;
  readonly sentence: string;
}

export function newComparison(): Comparison {
  return { strata: [], metrics: {} };
}

/** Kinds of devices that are told apart in one rollout; those beyond are left out. */
const strataMax = 32;
/** A device that was seen for so long counts half of one that was seen for ever. */
const halfKnownHours = 24;
/** Hours after which a reading that was held is too old. */
const usualKeptMax = 26;
/** Readings of waiting devices that tell what is usual in an hour. */
const usualReadingsMin = 5;

export interface Observation {
  /** One hardware and region. */
  readonly stratum: string;
  readonly arm: Arm;
  /** A number of the hour in which it came. */
  readonly hour: number;
  readonly readings: Readonly<Record<string, Reading>>;
}

/** What is known of a device; both change with its reports. */
export interface ObservedDevice {
  /** In the arm that it is in. */
  readonly totals: DeviceTotals;
  /** Metrics of which it had an event, in whichever arm. */
  readonly hadEvents: Set<string>;
}

/** Takes in a report. Costs the same however many devices there are. */
export function observe(
  comparison: Comparison,
  device: ObservedDevice,
  observation: Observation,
): void {
  const { strata } = comparison;
  if (!strata.includes(observation.stratum)) {
    if (strata.length >= strataMax) return;
    strata.push(observation.stratum);
  }
  for (const name in observation.readings) {
    const reading = observation.readings[name];
    const metric = metricOf(name);
    if (metric === null || reading === undefined || reading.hours <= 0) continue;
    if (isHeld(comparison, name))
      observeMetric(comparison, device, observation, { name, metric, reading });
  }
}

interface Observed {
  readonly name: string;
  readonly metric: ControlMetric;
  readonly reading: Reading;
}

function observeMetric(
  comparison: Comparison,
  device: ObservedDevice,
  { stratum, arm, hour }: Observation,
  { name, metric, reading }: Observed,
): void {
  const all = totalsOf(comparison, name);
  all.strata[stratum] ??= newStratumMetric(hour);
  const kind = all.strata[stratum];
  if (kind.now.hour < hour) closeHour(all, kind, hour);
  const side = kind.now[arm];
  side.readings += 1;
  side.hours += reading.hours;
  side.amount += reading.amount;
  if (metric.kind === "events" && !device.hadEvents.has(name)) {
    side.hoursAtRisk += reading.hours;
    if (reading.amount > 0) {
      side.firstEvents += 1;
      device.hadEvents.add(name);
    }
  }
  device.totals[name] ??= { hours: 0, excess: 0, held: null };
  hold(device.totals[name], all, { kind, arm, hour, reading });
}

/**
 * Readings of one hour are held until it is over, and then taken less what waiting devices of the
 * kind told in it: a night, or an hour without the server, is no difference between the arms.
 */
function hold(
  known: DeviceMetric,
  all: MetricTotals,
  {
    kind,
    arm,
    hour,
    reading,
  }: {
    readonly kind: StratumMetric;
    readonly arm: Arm;
    readonly hour: number;
    readonly reading: Reading;
  },
): void {
  const { held } = known;
  if (held?.hour === hour) {
    held.hours += reading.hours;
    held.amount += reading.amount;
    return;
  }
  known.held = { hour, hours: reading.hours, amount: reading.amount };
  const usual = held && kind.usual.find((over) => over.hour === held.hour);
  if (held === null || usual === undefined || usual === null) return;
  if (known.hours === 0) all[arm].devices += 1;
  else addValue(kind[arm], known.excess / known.hours, weightOf(known.hours), -1);
  known.hours += held.hours;
  known.excess += held.amount - usual.rate * held.hours;
  addValue(kind[arm], known.excess / known.hours, weightOf(known.hours), 1);
}

/** Values vary by what devices are, and by chance, of which time leaves less. */
function weightOf(hours: number): number {
  return hours / (hours + halfKnownHours);
}

/** Hours in which one of the arms has nobody tell nothing. */
function closeHour(all: MetricTotals, kind: StratumMetric, hour: number): void {
  const { now } = kind;
  kind.now = newCell(hour);
  if (now.waiting.readings >= usualReadingsMin) {
    kind.usual.push({ hour: now.hour, rate: rateOf(now.waiting) });
    if (kind.usual.length > usualKeptMax) kind.usual.shift();
  }
  if (now.updated.readings === 0 || now.waiting.readings === 0) return;
  addEvents(all.evidence, now);
  for (const arm of ["updated", "waiting"] as const) {
    all[arm].hours += now[arm].hours;
    all[arm].amount += now[arm].amount;
    all[arm].hoursAtRisk += now[arm].hoursAtRisk;
    all[arm].firstEvents += now[arm].firstEvents;
  }
}

/**
 * What the comparison says now, or null: the first metric of which the evidence that the updated
 * devices are worse passes its limit, and the difference matters. Reads sums alone.
 */
export function judge(comparison: Comparison, settings: ControlSettings): ControlVerdict | null {
  for (const name in comparison.metrics) {
    if (settings.accepted.includes(name)) continue;
    const weighed = weigh(comparison, name, settings);
    if (weighed?.isWorse === true) return verdictOf(weighed);
  }
  return null;
}

/** How every metric stands, as far as it is known. */
export function standingsOf(
  comparison: Comparison,
  settings: ControlSettings,
): readonly ControlVerdict[] {
  return Object.keys(comparison.metrics).flatMap((name) => {
    const weighed = weigh(comparison, name, settings);
    return weighed === null ? [] : [verdictOf(weighed)];
  });
}

interface Weighed {
  readonly name: string;
  readonly metric: ControlMetric;
  readonly all: MetricTotals;
  readonly evidence: number;
  readonly limit: number;
  readonly isWorse: boolean;
  /** First events speak more than means do. */
  readonly isByEvents: boolean;
  /** How far the means differ: updated less waiting. */
  readonly difference: number;
}

function weigh(comparison: Comparison, name: string, settings: ControlSettings): Weighed | null {
  const metric = metricOf(name);
  const all = comparison.metrics[name];
  if (metric === null || all === undefined) return null;
  const least = leastEffectOf(name, settings);
  const usual = rateOf(all.waiting);
  const found = differenceOf(all.strata);
  const worse = found && { ...found, mean: metric.worse === "more" ? found.mean : -found.mean };
  const byValues = worse === null ? 0 : differenceEvidence(worse, 2 * least * usual);
  const byEvents = metric.kind === "events" ? logMean(all.evidence) : null;
  const limit = 1 / levelOf(name, settings.level);
  const log = byEvents === null ? byValues : logMean([byValues, byEvents]);
  const isByEvents = byEvents !== null && byEvents > byValues;
  const matters = isByEvents
    ? riskOf(all.updated) >= (1 + least) * riskOf(all.waiting)
    : worse !== null && worse.mean >= least * usual;
  const isWorse = matters && log >= Math.log(limit);
  const told = { name, metric, all, evidence: Math.exp(log), limit };
  return { ...told, isWorse, isByEvents, difference: found?.mean ?? 0 };
}

function rateOf({ hours, amount }: Pick<ArmTotals, "hours" | "amount">): number {
  return hours === 0 ? 0 : amount / hours;
}

function riskOf({ hoursAtRisk, firstEvents }: ArmTotals): number {
  return hoursAtRisk === 0 ? 0 : firstEvents / hoursAtRisk;
}

function verdictOf(weighed: Weighed): ControlVerdict {
  return weighed.isByEvents ? eventVerdict(weighed) : valueVerdict(weighed);
}

function eventVerdict({ name, all, evidence, limit }: Weighed): ControlVerdict {
  const of = (arm: Arm) => ({ devices: all[arm].devices, value: all[arm].firstEvents });
  const [updated, waiting] = [of("updated"), of("waiting")];
  const days = (arm: Arm): string => `${shown(all[arm].hoursAtRisk / 24)} device days`;
  const sentence =
    `${name}: ${updated.value} updated devices had their first in ${days("updated")}, ` +
    `${waiting.value} waiting ones in ${days("waiting")}, ${evidenceText(evidence, limit)}`;
  return { metric: name, updated, waiting, evidence, limit, sentence };
}

function valueVerdict({ name, metric, all, evidence, limit, difference }: Weighed): ControlVerdict {
  const scale = metric.kind === "events" ? 24 : 1;
  const usual = rateOf(all.waiting);
  const updated = { devices: all.updated.devices, value: scale * (usual + difference) };
  const waiting = { devices: all.waiting.devices, value: scale * usual };
  const sentence =
    `${name}: ${shown(updated.value)} ${metric.unit} of ${updated.devices} updated devices, ` +
    `${shown(waiting.value)} of ${waiting.devices} waiting ones in the same hours, ` +
    evidenceText(evidence, limit);
  return { metric: name, updated, waiting, evidence, limit, sentence };
}

function evidenceText(evidence: number, limit: number): string {
  const told = evidence > 1e6 ? "over 1,000,000" : shown(evidence);
  return `evidence ${told} ${evidence < limit ? "below" : "passes"} ${shown(limit)}`;
}

function shown(value: number): string {
  return value >= 1000
    ? Math.round(value).toLocaleString("en")
    : String(Number(value.toPrecision(3)));
}

/** The application's counters have a part of the level each, which is for so many. */
function isHeld({ metrics }: Comparison, name: string): boolean {
  if (metrics[name] !== undefined || !name.startsWith(applicationPrefix)) return true;
  const held = Object.keys(metrics).filter((known) => known.startsWith(applicationPrefix));
  return held.length < applicationMetricsMax;
}

function totalsOf({ metrics }: Comparison, name: string): MetricTotals {
  metrics[name] ??= {
    strata: {},
    updated: { devices: 0, hours: 0, amount: 0, hoursAtRisk: 0, firstEvents: 0 },
    waiting: { devices: 0, hours: 0, amount: 0, hoursAtRisk: 0, firstEvents: 0 },
    evidence: noEventEvidence(),
  };
  return metrics[name];
}

function newStratumMetric(hour: number): StratumMetric {
  return { updated: noValues(), waiting: noValues(), now: newCell(hour), usual: [] };
}

function newCell(hour: number): HourCell {
  const side = () => ({ readings: 0, hours: 0, amount: 0, hoursAtRisk: 0, firstEvents: 0 });
  return { hour, updated: side(), waiting: side() };
}

function noValues(): ValueSums {
  return {
    devices: 0,
    weights: 0,
    squaredWeights: 0,
    values: 0,
    scaledValues: 0,
    squaredValues: 0,
  };
}
