import { sectorBytes } from "../flash/geometry.ts";
import { type DeviceLayout, encodeLayout } from "../flash/layout.ts";
import { cutKinds } from "../flash/operation.ts";
import type { FailedCase, Tally } from "./crew.ts";
import { type CleanRun, phases } from "./history.ts";
import { type ProofImage, proofHardware, referenceEntry } from "./images.ts";
import { trailerSectors } from "./layout.ts";
import type { PowerCutsOptions } from "./options.ts";
import { everyImage, type Proof } from "./proof.ts";

const areas = ["primary", "secondary", "bootctl", "storage"] as const;

/** What is known before the first cut. */
export function describeProof(proof: Proof, runs: readonly CleanRun[], sample: number): string[] {
  const total = runs.reduce((sum, run) => sum + run.operations.length, 0);
  return [
    describeLayout(proof.layoutName, proof.layout),
    ...everyImage(proof.images)
      .filter((image) => image.entry === referenceEntry)
      .map(describeImage),
    ...runs.map(describeRun),
    `${cutKinds.length} x ${total} operations + ${sample} pairs = ${cutKinds.length * total + sample} cuts, seed ${proof.images.seed}`,
  ];
}

function describeLayout(name: string, layout: DeviceLayout): string {
  const { sectors, sizeBytes: size } = layout.primary;
  const trailer = trailerSectors(sectors);
  const storage = layout.storage.sizeBytes / sectorBytes;
  return `layout ${name}: flash of ${layout.flashBytes} bytes, slots of ${sectors} sectors (${size} bytes; ${trailer} for the trailer, 1 to move through, images up to ${(sectors - trailer - 1) * sectorBytes} bytes), bootctl 1 sector, storage ${storage} sectors`;
}

function describeImage({ version, securityCounter, payloadSha256, file }: ProofImage): string {
  return `firmware ${version} for ${proofHardware}, release build, counter ${securityCounter}, image of ${file.length} bytes: payload SHA-256 ${payloadSha256}`;
}

function describeRun(run: CleanRun): string {
  const parts = phases
    .map((phase) => ({ phase, count: operationsIn(run, phase).length }))
    .filter(({ count }) => count > 0)
    .map(({ phase, count }) => `${phase} ${count}`);
  return `${run.name}, counter ${run.counter}: ${parts.join(", ")} = ${run.operations.length} operations`;
}

/** The failures with what replays them, and what the histories ended in. */
export function describeTally(tally: Tally, options: PowerCutsOptions): string[] {
  const ended = Object.entries(tally.ended)
    .toSorted()
    .map(([name, count]) => `ended ${name}, ${count} cases`);
  const joined = `${tally.joined} cases came into a state that another case had been in`;
  return [
    ...ended,
    joined,
    ...tally.failures.flatMap((failed) => describeFailure(failed, options)),
  ];
}

function describeFailure(failed: FailedCase, options: PowerCutsOptions): string[] {
  const { layout, seed } = options;
  return [
    `FAILED ${failed.case}, seed ${seed}`,
    ...failed.broken.map(({ kind, text }) => `  ${kind}: ${text}`),
    `  replay: npm run power-cuts -- --layout ${layout} --seed ${seed} --replay ${failed.case}`,
  ];
}

/** The last line of stdout. */
export function summaryLine({ singles, pairs, bricked, lostRollbacks }: Tally): string {
  return `${singles + pairs} cuts, ${bricked} bricked, ${lostRollbacks} lost rollbacks`;
}

/** Everything as one JSON value; docs/power-cuts.md explains each field. */
export function reportAsJson(
  proof: Proof,
  runs: readonly CleanRun[],
  tally: Tally,
  durationMs: number,
): object {
  return {
    layout: { name: proof.layoutName, ...encodeLayout(proof.layout) },
    seed: proof.images.seed,
    images: everyImage(proof.images).map(({ file, ...image }) => ({
      ...image,
      hardware: proofHardware,
      imageBytes: file.length,
    })),
    modes: cutKinds,
    histories: runs.map((run) => ({
      history: run.name,
      counter: run.counter,
      operations: run.operations.length,
      trialBoots: run.bootsOfTrial,
      phases: phases
        .filter((phase) => operationsIn(run, phase).length > 0)
        .map((phase) => ({ phase, ...countsOf(run, phase) })),
    })),
    operations: runs.reduce((sum, run) => sum + run.operations.length, 0),
    pairs: tally.pairs,
    formula: "cuts = modes.length * (sum of histories[].operations) + pairs",
    cuts: tally.singles + tally.pairs,
    bricked: tally.bricked,
    lostRollbacks: tally.lostRollbacks,
    unfinished: tally.unfinished,
    joined: tally.joined,
    ended: tally.ended,
    failures: tally.failures,
    durationSeconds: Math.round(durationMs / 1000),
  };
}

function countsOf(run: CleanRun, phase: CleanRun["operations"][number]["phase"]): object {
  const inPhase = operationsIn(run, phase);
  const byArea = areas.map((area) => [
    area,
    inPhase.filter((operation) => operation.area === area).length,
  ]);
  return {
    operations: inPhase.length,
    erases: inPhase.filter(({ kind }) => kind === "erase").length,
    writes: inPhase.filter(({ kind }) => kind === "write").length,
    byArea: Object.fromEntries(byArea.filter(([, count]) => count !== 0)),
  };
}

function operationsIn(run: CleanRun, phase: string): CleanRun["operations"] {
  return run.operations.filter((operation) => operation.phase === phase);
}
