import { allCutKinds, type CutKind, cutKinds } from "../flash/operation.ts";
import { type HistoryKind, historyKinds } from "./proof.ts";
import type { Cut } from "./rig.ts";

/** One set of cuts in one history. */
export interface PlannedCase {
  readonly kind: HistoryKind;
  readonly cuts: readonly Cut[];
}

/** Flash operations of each history without cuts, in the order of `historyKinds`. */
export type OperationCounts = readonly number[];

/** Every operation of every history, cut in each of the three ways. */
export function* everySingle(counts: OperationCounts): Generator<PlannedCase> {
  for (const [index, kind] of historyKinds.entries())
    for (let operation = 0; operation < (counts[index] ?? 0); operation += 1)
      for (const cutKind of cutKinds) yield { kind, cuts: [{ operation, kind: cutKind }] };
}

/** Beyond the end of a clean run: what recovering from the first cut adds. */
const recoveryOperations = 40;
/** Two cuts of three fall close together, where one begins what the other interrupts. */
const nearOperations = 12;

/**
 * Pairs of cuts, drawn by the seed. They tear bits of a word as well, which single cuts, being
 * exhaustive over whole bytes, leave out.
 */
export function samplePairs(counts: OperationCounts, seed: number, size: number): PlannedCase[] {
  const random = seededRandom(seed);
  return Array.from({ length: size }, () => {
    const { kind, operation } = drawOperation(counts, random);
    const rest = (counts[historyKinds.indexOf(kind)] ?? 0) - operation + recoveryOperations;
    const gap = 1 + random.below(random.below(3) > 0 ? nearOperations : rest);
    const [first, second] = [drawKind(random), drawKind(random)];
    return {
      kind,
      cuts: [
        { operation, kind: first },
        { operation: operation + gap, kind: second },
      ],
    };
  });
}

/** Single cuts out of all, drawn by the seed; none twice. */
export function sampleSingles(counts: OperationCounts, seed: number, size: number): PlannedCase[] {
  const all = [...everySingle(counts)];
  const random = seededRandom(seed ^ 0x51e7);
  const drawn: PlannedCase[] = [];
  for (let left = Math.min(size, all.length); left > 0; left -= 1)
    drawn.push(...all.splice(random.below(all.length), 1));
  return drawn;
}

/**
 * `update/raised:123half` or `rollback-crash/equal:15clean+9bits`; the second number counts from
 * the first cut.
 */
export function formatCase({ kind, cuts }: PlannedCase): string {
  const [first, second] = cuts;
  const head = `${kind.name}/${kind.counter}:${first?.operation}${first?.kind}`;
  if (first === undefined || second === undefined) return head;
  return `${head}+${second.operation - first.operation}${second.kind}`;
}

export function parseCase(text: string): PlannedCase | null {
  const match = /^([a-z-]+)\/([a-z]+):(\d+)([a-z]+)(?:\+(\d+)([a-z]+))?$/.exec(text);
  const kind = historyKinds.find(
    ({ name, counter }) => name === match?.[1] && counter === match[2],
  );
  const first = parseCut(match?.[3], match?.[4], 0);
  if (kind === undefined || first === null) return null;
  if (match?.[5] === undefined) return { kind, cuts: [first] };
  const second = parseCut(match[5], match[6], first.operation);
  return second === null ? null : { kind, cuts: [first, second] };
}

function parseCut(count: string | undefined, kind: string | undefined, from: number): Cut | null {
  const found = allCutKinds.find((name) => name === kind);
  return found === undefined ? null : { operation: from + Number(count), kind: found };
}

function drawOperation(
  counts: OperationCounts,
  random: Random,
): { kind: HistoryKind; operation: number } {
  let left = random.below(counts.reduce((sum, count) => sum + count, 0));
  for (const [index, kind] of historyKinds.entries()) {
    const count = counts[index] ?? 0;
    if (left < count) return { kind, operation: left };
    left -= count;
  }
  throw new Error("no history has an operation");
}

function drawKind(random: Random): CutKind {
  return allCutKinds[random.below(allCutKinds.length)]!;
}

interface Random {
  /** 0 to `limit` - 1. */
  below(limit: number): number;
}

/** Mulberry32. */
function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    below(limit) {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * limit);
    },
  };
}
