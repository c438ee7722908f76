import { normalShare } from "./wilson.ts";

/**
 * Two comparisons of devices that may be looked at after every report. Each gives evidence: a
 * number that passes 1 / level with at most that probability, at whatever time it is looked at,
 * when updated devices are no worse than waiting ones. Evidence of several tests may be averaged.
 */

/** Values of the devices of one group, one for each device, each with its weight. */
export interface ValueSums {
  devices: number;
  weights: number;
  squaredWeights: number;
  /** The sum of weight times value. */
  values: number;
  /** The sums of squared weight times value, and times squared value. */
  scaledValues: number;
  squaredValues: number;
}

/** `sign` -1 takes out what was added before. */
export function addValue(sums: ValueSums, value: number, weight: number, sign: 1 | -1): void {
  const squared = weight * weight;
  sums.devices += sign;
  sums.weights += sign * weight;
  sums.squaredWeights += sign * squared;
  sums.values += sign * weight * value;
  sums.scaledValues += sign * squared * value;
  sums.squaredValues += sign * squared * value * value;
}

/** The two groups among devices of one kind, such as one hardware in one region. */
export interface ValuePair {
  readonly updated: ValueSums;
  readonly waiting: ValueSums;
}

export interface Difference {
  /** Updated less waiting, over all kinds. */
  readonly mean: number;
  readonly variance: number;
}

/** Fewer devices tell nothing of how much devices differ. */
const devicesMin = 10;

/**
 * The difference of the means within each kind, over all kinds, with a variance that counts devices
 * and not reports: each device is one value, so that devices which differ, or report often, claim
 * no more than they know. Null while no kind has enough devices.
 */
export function differenceOf(pairs: Readonly<Record<string, ValuePair>>): Difference | null {
  let [sum, variance, total] = [0, 0, 0];
  for (const kind in pairs) {
    const pair = pairs[kind];
    if (pair === undefined) continue;
    const { updated, waiting } = pair;
    if (updated.devices < devicesMin || waiting.devices < devicesMin) continue;
    const [a, b] = [sizeOf(updated), sizeOf(waiting)];
    const weight = (a * b) / (a + b);
    // One that had no crash yet would claim to be sure of none: it knows as much as both together.
    const pooled = spreadOfBoth(updated, waiting);
    const spread =
      Math.max(spreadOf(updated), pooled) / a + Math.max(spreadOf(waiting), pooled) / b;
    sum += weight * (meanOf(updated) - meanOf(waiting));
    variance += weight * weight * spread;
    total += weight;
  }
  return total === 0 ? null : { mean: sum / total, variance: variance / (total * total) };
}

function meanOf(sums: ValueSums): number {
  return sums.weights === 0 ? 0 : sums.values / sums.weights;
}

/** How many devices of one weight would have the same variance. */
function sizeOf({ weights, squaredWeights }: ValueSums): number {
  return squaredWeights === 0 ? 0 : (weights * weights) / squaredWeights;
}

function spreadOf(sums: ValueSums): number {
  return (squaresAbout(sums, meanOf(sums)) / sums.squaredWeights) * fewCorrection(sums.devices);
}

function spreadOfBoth(first: ValueSums, second: ValueSums): number {
  const mean = (first.values + second.values) / (first.weights + second.weights);
  const squares = squaresAbout(first, mean) + squaresAbout(second, mean);
  return squares / (first.squaredWeights + second.squaredWeights);
}

function squaresAbout(sums: ValueSums, mean: number): number {
  const { squaredValues, scaledValues, squaredWeights } = sums;
  // Sums of floating point that cancel may end below zero.
  return Math.max(0, squaredValues - 2 * mean * scaledValues + mean * mean * squaredWeights);
}

/** Student's distribution has longer tails than the normal one; this is its variance. */
function fewCorrection(devices: number): number {
  return (devices - 1) / (devices - 3);
}

/**
 * The logarithm of the evidence that a difference is above 0: the mixture sequential probability
 * ratio test, with the half of a normal distribution of this `scale` as the mixture (H. Robbins,
 * "Statistical methods related to the law of the iterated logarithm", Ann. Math. Stat. 41, 1970;
 * R. Johari, P. Koomen, L. Pekelis, D. Walsh, "Always valid inference: continuous monitoring of A/B
 * tests", Operations Research 70, 2022).
 *
 * The estimate is one of weighted means whose weights go with what each device is known by, so
 * looks at it while reports come in have independent increments (C. Jennison, B. W. Turnbull,
 * "Group-sequential analysis incorporating covariate information", JASA 92, 1997), which is what
 * the mixture asks for. That holds for many devices; few are kept out above.
 */
export function differenceEvidence({ mean, variance }: Difference, scale: number): number {
  if (variance <= 0 || scale <= 0) return 0;
  const both = variance + scale * scale;
  return 0.5 * Math.log(variance / both) + mixtureLog((mean * scale) / Math.sqrt(variance * both));
}

/** Beyond it the distribution function is 1 as far as matters here, or its series is good. */
const far = 5;

/** The logarithm of 2 F(z) exp(z^2 / 2), with F the standard normal's distribution function. */
function mixtureLog(z: number): number {
  if (z > far) return Math.log(2) + (z * z) / 2;
  if (z >= 0) return Math.log(2 * normalShare(z)) + (z * z) / 2;
  if (z >= -far) return Math.log(2 * (1 - normalShare(-z))) + (z * z) / 2;
  // F itself would be lost in its rounding error, which the exponential makes anything of.
  const inverse = 1 / (z * z);
  return Math.log((2 * (1 - inverse + 3 * inverse * inverse)) / (-z * Math.sqrt(2 * Math.PI)));
}

/** How many times as often the event comes, by each of the guesses that share the evidence. */
const guesses = [2, 4, 8, 16, 32] as const;

/** The logarithms of the evidence for each of the guesses; the evidence is their `logMean`. */
export type EventEvidence = number[];

export function noEventEvidence(): EventEvidence {
  return guesses.map(() => 0);
}

/** Times at risk, and events of devices that had none before. */
export interface EventCell {
  readonly updated: { readonly hoursAtRisk: number; readonly firstEvents: number };
  readonly waiting: { readonly hoursAtRisk: number; readonly firstEvents: number };
}

/**
 * Takes in what happened to devices of one kind in one hour. Each device counts for its first event
 * alone, whichever group it is in then, and is not at risk any more: so one device that crashes all
 * day is one. When the groups are alike, an event is of an updated one with the probability that is
 * their share of the hours at risk: no variance is guessed, and rare events count at once (J. ter
 * Schure, M. F. Pérez-Ortiz, A. Ly, P. Grünwald, "The safe logrank test: error control under
 * continuous monitoring with unlimited horizon", 2020).
 */
export function addEvents(evidence: EventEvidence, { updated, waiting }: EventCell): void {
  const [a, b] = [updated.hoursAtRisk, waiting.hoursAtRisk];
  if (a <= 0 || b <= 0) return;
  for (const [index, times] of guesses.entries()) {
    const logScale = Math.log((a + b) / (times * a + b));
    evidence[index] =
      (evidence[index] ?? 0) +
      updated.firstEvents * (Math.log(times) + logScale) +
      waiting.firstEvents * logScale;
  }
}

/** The logarithm of the mean of what these are the logarithms of. */
export function logMean(logs: readonly number[]): number {
  const highest = Math.max(...logs);
  let sum = 0;
  for (const log of logs) sum += Math.exp(log - highest);
  return highest + Math.log(sum / logs.length);
}
