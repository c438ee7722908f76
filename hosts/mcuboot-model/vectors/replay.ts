import type { Differences } from "./compare.ts";
import { replayExhaustive } from "./exhaustive.ts";
import { replayScenario } from "./scenario.ts";
import { VectorFolder } from "./vector-folder.ts";

export interface ReplayReport {
  readonly passed: number;
  /** Scenarios and exhaustive files, each with what differed. */
  readonly failures: ReadonlyArray<{ readonly name: string; readonly differences: Differences }>;
}

/** Replays a whole folder of vectors; nothing in it makes this throw. */
export function replayFolder(path: string): ReplayReport {
  const failures: { name: string; differences: Differences }[] = [];
  let passed = 0;
  const count = (name: string, replay: () => Differences): void => {
    const differences = attempt(replay);
    if (differences.length === 0) passed++;
    else failures.push({ name, differences });
  };

  let folder: VectorFolder | null = null;
  const opened = attempt(() => {
    folder = new VectorFolder(path);
    return [];
  });
  if (folder === null) return { passed: 0, failures: [{ name: path, differences: opened }] };
  const open: VectorFolder = folder;

  let scenarios: ReturnType<VectorFolder["scenarios"]> = [];
  const listed = attempt(() => {
    scenarios = open.scenarios();
    return [];
  });
  if (listed.length > 0) failures.push({ name: "scenarios", differences: listed });
  for (const [index, scenario] of scenarios.entries()) {
    const name = scenario.has("id") ? String(scenario.raw("id")) : `scenario ${index}`;
    count(name, () => replayScenario(open, scenario));
  }

  let files: string[] = [];
  const found = attempt(() => {
    files = open.exhaustiveFiles();
    return [];
  });
  if (found.length > 0) failures.push({ name: "exhaustive", differences: found });
  for (const file of files) count(file, () => replayExhaustive(open, open.exhaustive(file)));
  return { passed, failures };
}

/** A defect of the vectors or of the model fails the one scenario it is in, by name. */
function attempt(replay: () => Differences): Differences {
  try {
    return replay();
  } catch (error) {
    return [error instanceof Error ? `${error.name}: ${error.message}` : String(error)];
  }
}
