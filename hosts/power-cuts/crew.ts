import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { BrokenPromise } from "./checkers/device-promises.ts";
import type { DumpedCase } from "./dump.ts";
import type { ProofLayoutName } from "./layout.ts";
import type { ProofImages } from "./proof.ts";

/** What every thread is told; each takes its share of the same plan. */
export interface CrewOrders {
  readonly layout: ProofLayoutName;
  readonly images: ProofImages;
  /** Pairs of cuts, and single cuts in a dump. */
  readonly sample: number;
  readonly dumpFolder: string | null;
}

export interface ThreadOrders extends CrewOrders {
  readonly thread: number;
  readonly threads: number;
}

/** One case that broke a promise. */
export interface FailedCase {
  readonly case: string;
  readonly broken: readonly BrokenPromise[];
}

/** What cases came to; those of several threads add up. */
export interface Tally {
  readonly singles: number;
  readonly pairs: number;
  readonly bricked: number;
  readonly lostRollbacks: number;
  readonly unfinished: number;
  /** Cases that were not run to their end, because they came into a state whose end was known. */
  readonly joined: number;
  /** Cases by history and by the image that ran in the end: `update/equal: new 1.1.0`. */
  readonly ended: Readonly<Record<string, number>>;
  readonly failures: readonly FailedCase[];
  readonly dumped: readonly DumpedCase[];
}

export type ThreadMessage =
  | { readonly kind: "progress"; readonly cases: number }
  | { readonly kind: "done"; readonly tally: Tally };

export const emptyTally: Tally = {
  singles: 0,
  pairs: 0,
  bricked: 0,
  lostRollbacks: 0,
  unfinished: 0,
  joined: 0,
  ended: {},
  failures: [],
  dumped: [],
};

/** More threads than this have nothing left to share. */
const threadsMax = 16;

/** Runs the whole plan on all cores; `progress` hears of cases as they are done. */
export async function runCrew(
  orders: CrewOrders,
  progress: (cases: number) => void,
): Promise<Tally> {
  const threads = Math.min(availableParallelism(), threadsMax);
  const tallies = await Promise.all(
    Array.from({ length: threads }, (_, thread) =>
      runThread({ ...orders, thread, threads }, progress),
    ),
  );
  return tallies.reduce(addTallies, emptyTally);
}

export function addTallies(one: Tally, other: Tally): Tally {
  const ended: Record<string, number> = { ...one.ended };
  for (const [name, count] of Object.entries(other.ended)) ended[name] = (ended[name] ?? 0) + count;
  return {
    singles: one.singles + other.singles,
    pairs: one.pairs + other.pairs,
    bricked: one.bricked + other.bricked,
    lostRollbacks: one.lostRollbacks + other.lostRollbacks,
    unfinished: one.unfinished + other.unfinished,
    joined: one.joined + other.joined,
    ended,
    failures: [...one.failures, ...other.failures],
    dumped: [...one.dumped, ...other.dumped],
  };
}

function runThread(orders: ThreadOrders, progress: (cases: number) => void): Promise<Tally> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./thread.ts", import.meta.url), { workerData: orders });
    worker.on("message", (message: ThreadMessage) => {
      if (message.kind === "progress") progress(message.cases);
      else resolve(message.tally);
    });
    worker.on("error", reject);
    worker.on("exit", (code) => reject(new Error(`a thread ended early with exit code ${code}`)));
  });
}
