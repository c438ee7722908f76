import type { Tally } from "./crew.ts";
import type { PlannedCase } from "./plan.ts";
import type { Proof } from "./proof.ts";
import type { RigWatcher } from "./rig.ts";
import { runPlanned } from "./share.ts";

/** Runs one case and tells of every boot, every cut and every line of the console. */
export async function replayCase(
  proof: Proof,
  planned: PlannedCase,
  tell: (line: string) => void,
): Promise<Tally> {
  const cuts = new Map(planned.cuts.map(({ operation, kind }) => [operation, kind]));
  const watcher: RigWatcher = {
    operation(index, { kind, address, lengthBytes }, by) {
      const cut = cuts.get(index);
      if (cut === undefined) return;
      tell(`operation ${index}, ${by}: ${kind} of ${lengthBytes} bytes at ${address}, cut ${cut}`);
    },
    booted(outcome) {
      const what = outcome.outcome === "booted" ? `starts ${outcome.version}` : outcome.outcome;
      const swap = outcome.swapRan ? (outcome.resumed ? ", swap resumed" : ", swap") : "";
      tell(`boot: ${what}${swap}`);
    },
    logged: (text) => tell(`  ${text}`),
  };
  return runPlanned(proof, planned, null, watcher);
}
