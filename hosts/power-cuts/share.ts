import { addTallies, emptyTally, type Tally, type ThreadOrders } from "./crew.ts";
import type { CaseFlashes } from "./cut-case.ts";
import { type DumpedCase, dumpCase } from "./dump.ts";
import { everySingle, formatCase, type PlannedCase, samplePairs, sampleSingles } from "./plan.ts";
import { historyKinds, type Proof } from "./proof.ts";
import type { RigWatcher } from "./rig.ts";

/** Cases between two words of progress. */
const casesPerWord = 50;

/** Runs every `threads`-th case of the plan, beginning with the `thread`-th. */
export async function runShare(
  proof: Proof,
  orders: ThreadOrders,
  progress: (cases: number) => void,
): Promise<Tally> {
  const counts = await operationCounts(proof);
  const { seed } = proof.images;
  const { dumpFolder, sample } = orders;
  const dumped = new Set(
    dumpFolder === null ? [] : sampleSingles(counts, seed, sample).map(formatCase),
  );
  let tally = emptyTally;
  let number = 0;
  let unsaid = 0;
  for (const planned of plan(counts, seed, sample)) {
    number += 1;
    if (number % orders.threads !== orders.thread) continue;
    const isDumped = dumped.has(formatCase(planned)) || planned.cuts.length > 1;
    tally = addTallies(tally, await runPlanned(proof, planned, isDumped ? dumpFolder : null));
    unsaid += 1;
    if (unsaid < casesPerWord) continue;
    progress(unsaid);
    unsaid = 0;
  }
  progress(unsaid);
  return tally;
}

/** The operations of each clean run; throws when one breaks a promise without any cut. */
export async function operationCounts(proof: Proof): Promise<number[]> {
  const counts: number[] = [];
  for (const kind of historyKinds) {
    const run = await proof.cleanRun(kind);
    const [broken] = run.broken;
    if (broken !== undefined)
      throw new Error(`${kind.name}, ${kind.counter} counter, without a cut: ${broken.text}`);
    counts.push(run.operations.length);
  }
  return counts;
}

function* plan(counts: readonly number[], seed: number, sample: number): Generator<PlannedCase> {
  yield* everySingle(counts);
  yield* samplePairs(counts, seed, sample);
}

/** Runs one case, and dumps it where a folder is given. */
export async function runPlanned(
  proof: Proof,
  planned: PlannedCase,
  dumpFolder: string | null,
  watcher: RigWatcher = {},
): Promise<Tally> {
  const { name, counter } = planned.kind;
  const runner = await proof.runner(planned.kind);
  const flashes: CaseFlashes = { afterLastCut: null, atRest: null };
  const report = await runner.run(planned.cuts, dumpFolder === null ? undefined : flashes, watcher);
  const dumped: DumpedCase[] = [];
  if (dumpFolder !== null)
    dumped.push(await dumpCase(dumpFolder, proof, planned, { report, flashes }));
  const isSingle = planned.cuts.length === 1;
  const { broken } = report;
  const kinds = new Set(broken.map(({ kind }) => kind));
  // A case counts once, as the worst that it shows.
  const worst = (["bricked", "lost-rollback", "unfinished"] as const).find((kind) =>
    kinds.has(kind),
  );
  const failed = { case: formatCase({ kind: planned.kind, cuts: report.cuts }), broken };
  return {
    singles: isSingle ? 1 : 0,
    pairs: isSingle ? 0 : 1,
    bricked: worst === "bricked" ? 1 : 0,
    lostRollbacks: worst === "lost-rollback" ? 1 : 0,
    unfinished: worst === "unfinished" ? 1 : 0,
    joined: report.joined ? 1 : 0,
    ended: { [`${name}/${counter}: ${report.ended ?? "nothing"}`]: 1 },
    failures: broken.length > 0 ? [failed] : [],
    dumped,
  };
}
