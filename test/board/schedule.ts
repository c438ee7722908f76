// Scenarios side by side: an emulated chip waits a good part of its time, and a machine has more
// than one core.
import type { Checks } from "../moddable/checks.ts";
import { SceneOver } from "./stage.ts";

/** One story of one chip, which shares nothing with the others. */
export interface Scenario {
  readonly name: string;
  /** Not begun before that has settled, whichever way. */
  readonly needs?: Promise<unknown>;
  /** Waits more than it works: runs beside the others and takes none of their places. */
  readonly isIdle?: boolean;
  run(): Promise<void>;
}

/** Runs all of them, at most `lanes` at a time, in order as far as what they need is there. */
export async function runScenarios(
  checks: Checks,
  scenarios: readonly Scenario[],
  lanes: number,
): Promise<void> {
  const ready = new Set<Scenario>();
  const waiting = scenarios.map(async (scenario) => {
    await Promise.resolve(scenario.needs).catch(() => {}); // it tells itself what it did not get
    ready.add(scenario);
  });
  const left = new Set(scenarios.filter(({ isIdle }) => isIdle !== true));
  const lane = async (): Promise<void> => {
    // Bounded by the scenarios: each turn takes one, or waits until one more is ready.
    while (left.size > 0) {
      const next = [...left].find((scenario) => ready.has(scenario));
      if (next === undefined) {
        await Promise.race(waiting.filter((_, at) => left.has(scenarios[at] as Scenario)));
        continue;
      }
      left.delete(next);
      await runOne(checks, next);
    }
  };
  const idle = scenarios.map(async (scenario, at) => {
    if (scenario.isIdle !== true) return;
    await waiting[at];
    await runOne(checks, scenario);
  });
  await Promise.all([...Array.from({ length: lanes }, lane), ...idle]);
}

/** A scenario that ends before its last check has failed as a whole. */
async function runOne(checks: Checks, { name, run }: Scenario): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (error instanceof SceneOver) return; // the check that ended it was told
    await checks.check(`${name} comes to its end`, () => Promise.reject(error));
  }
}
