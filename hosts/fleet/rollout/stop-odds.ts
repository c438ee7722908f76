import { isOver, normalShare } from "./wilson.ts";

/** The rule that stops a rollout: the lower bound of the share of the bad is over the limit. */
export interface StopRule {
  /** From 0 to 1; 1 stops nothing. */
  readonly limit: number;
  readonly confidence: number;
  /** Smaller samples say nothing. */
  readonly sampleMin: number;
}

export interface StageOdds {
  /** How likely the rule stops the rollout in this stage, where it came so far: 0 to 1. */
  readonly stop: number;
  /**
   * Bad devices to expect in this stage, where it came so far and its devices end one by one: the
   * fewest.
   */
  readonly hurtOneByOne: number;
  /** The same where all of its devices took the release before the first one ended. */
  readonly hurtAtOnce: number;
}

export interface RolloutOdds {
  readonly defectRate: number;
  /** How likely the rule stops the rollout at all. */
  readonly stop: number;
  readonly hurtOneByOne: number;
  readonly hurtAtOnce: number;
  readonly stages: readonly StageOdds[];
}

/**
 * What the rule catches of a release that is bad on each device with this probability, apart from
 * the others: how likely, in which stage, and how many devices are hurt by then.
 */
export function rolloutOdds(
  sizes: readonly number[],
  rule: StopRule,
  defectRate: number,
): RolloutOdds {
  const long = walkOf(followedMax, { size: Number.POSITIVE_INFINITY, rule, defectRate });
  const stages = sizes.map((size) => {
    const walk = size > followedMax ? long : walkOf(size, { size, rule, defectRate });
    return stageOdds(size, walk, { rule, defectRate });
  });
  const sum = { comes: 1, hurtOneByOne: 0, hurtAtOnce: 0 };
  for (const { stop, hurtOneByOne, hurtAtOnce } of stages) {
    sum.hurtOneByOne += sum.comes * hurtOneByOne;
    sum.hurtAtOnce += sum.comes * hurtAtOnce;
    sum.comes *= 1 - stop;
  }
  const { comes, hurtOneByOne, hurtAtOnce } = sum;
  return { defectRate, stop: 1 - comes, hurtOneByOne, hurtAtOnce, stages };
}

/**
 * Outcomes that are followed one by one: the walk of the bad among the ended, absorbed where the
 * rule says stop. A larger stage is judged from there on by its end alone, by the normal
 * approximation of the binomial: what is not over the limit by then is close to it or below.
 */
const followedMax = 2000;

/** What became of a stage by then. */
interface Walk {
  /** How likely the rule stopped it. */
  readonly stopped: number;
  /** Bad devices to expect, those included of when it stopped. */
  readonly hurt: number;
}

function walkOf(
  followed: number,
  { size, rule, defectRate }: { size: number; rule: StopRule; defectRate: number },
): Walk {
  /** How likely each number of bad ones is among those ended, while the rule did not stop. */
  const odds = new Float64Array(followed + 2);
  odds[0] = 1;
  let [stopped, hurt, bound, most] = [0, 0, 1, 0];
  for (let ended = 1; ended <= followed; ended += 1) {
    most = Math.min(most + 1, ended);
    for (let bad = most; bad >= 0; bad -= 1)
      odds[bad] = (odds[bad] ?? 0) * (1 - defectRate) + (odds[bad - 1] ?? 0) * defectRate;
    // Every further good one asks for as many bad ones or more; the smallest sample asks anew.
    const from = ended <= rule.sampleMin || ended === size ? 1 : bound;
    bound = fewestOver({ ended, size, from, most }, rule);
    for (let bad = bound; bad <= most; bad += 1) {
      stopped += odds[bad] ?? 0;
      hurt += bad * (odds[bad] ?? 0);
      odds[bad] = 0;
    }
    most = Math.min(most, bound - 1);
  }
  for (let bad = 1; bad <= most; bad += 1) hurt += bad * (odds[bad] ?? 0);
  return { stopped, hurt };
}

function stageOdds(
  size: number,
  { stopped, hurt }: Walk,
  { rule, defectRate }: { readonly rule: StopRule; readonly defectRate: number },
): StageOdds {
  const goesOn = Math.max(0, 1 - stopped);
  const left = Math.max(0, size - followedMax);
  const atEnd = left > 0 ? Math.max(0, overAtEnd(size, rule, defectRate) - stopped) : 0;
  return {
    stop: stopped + Math.min(goesOn, atEnd),
    hurtOneByOne: hurt + goesOn * left * defectRate,
    hurtAtOnce: size * defectRate,
  };
}

/** The fewest bad ones of those ended by which the rule stops; beyond `most` where none does. */
function fewestOver(
  { ended, size, from, most }: Readonly<Record<"ended" | "size" | "from" | "most", number>>,
  rule: StopRule,
): number {
  for (let bad = from; bad <= most; bad += 1) if (stops(bad, ended, size, rule)) return bad;
  return most + 1;
}

function stops(bad: number, ended: number, size: number, rule: StopRule): boolean {
  if (rule.limit >= 1) return false;
  if (bad === size) return true;
  return ended >= rule.sampleMin && isOver(bad, ended, rule.limit, rule.confidence);
}

/** How likely so many of a large stage are bad that the rule stops it at its end. */
function overAtEnd(size: number, rule: StopRule, defectRate: number): number {
  let [under, over] = [0, size];
  // Each step halves the interval; the rule says stop of every number above the first that it does.
  while (over - under > 1) {
    const middle = Math.floor((under + over) / 2);
    if (stops(middle, size, size, rule)) over = middle;
    else under = middle;
  }
  const deviation = Math.sqrt(size * defectRate * (1 - defectRate));
  if (deviation === 0) return over <= size * defectRate ? 1 : 0;
  const z = (over - 0.5 - size * defectRate) / deviation;
  if (z > 5) return 0;
  return z < -5 ? 1 : z < 0 ? normalShare(-z) : 1 - normalShare(z);
}
