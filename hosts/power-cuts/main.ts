import { runCrew } from "./crew.ts";
import { closeDump, openDump } from "./dump.ts";
import { type PowerCutsOptions, readOptions, usage } from "./options.ts";
import { buildImages, historyKinds, Proof } from "./proof.ts";
import { replayCase } from "./replay.ts";
import { describeProof, describeTally, reportAsJson, summaryLine } from "./report.ts";
import { operationCounts } from "./share.ts";

const usageExitCode = 64;
/** Cases between two lines of progress. */
const casesPerLine = 1000;

const options = readOptions(process.argv.slice(2));
if (typeof options === "string") {
  process.stderr.write(`${options}\n${usage}\n`);
  process.exitCode = usageExitCode;
} else {
  process.exitCode = await run(options);
}

async function run(options: PowerCutsOptions): Promise<number> {
  const startedMs = performance.now();
  // What a program reads goes to stdout alone; without --json it is all for people.
  const say = (lines: readonly string[]): void => {
    (options.json ? process.stderr : process.stdout).write(
      lines.map((line) => `${line}\n`).join(""),
    );
  };
  const images = await buildImages(options.seed);
  const proof = new Proof(options.layout, images);
  await operationCounts(proof);
  const runs = await Promise.all(historyKinds.map((kind) => proof.cleanRun(kind)));
  const { dumpFolder, replay, layout, sample } = options;
  if (replay !== null) {
    const tally = await replayCase(proof, replay, (line) => say([line]));
    say(describeTally(tally, options));
    process.stdout.write(`${summaryLine(tally)}\n`);
    return tally.failures.length === 0 ? 0 : 1;
  }
  say(describeProof(proof, runs, sample));
  if (dumpFolder !== null) openDump(dumpFolder, proof);
  const tally = await runCrew({ layout, images, sample, dumpFolder }, progressTeller());
  if (dumpFolder !== null) closeDump(dumpFolder, proof, tally.dumped);
  const durationMs = performance.now() - startedMs;
  say([...describeTally(tally, options), `${Math.round(durationMs / 1000)} s`]);
  if (options.json)
    process.stdout.write(`${JSON.stringify(reportAsJson(proof, runs, tally, durationMs))}\n`);
  process.stdout.write(`${summaryLine(tally)}\n`);
  return tally.failures.length === 0 ? 0 : 1;
}

function progressTeller(): (cases: number) => void {
  let done = 0;
  return (cases) => {
    const before = Math.floor(done / casesPerLine);
    done += cases;
    if (Math.floor(done / casesPerLine) > before) process.stderr.write(`${done} cases\n`);
  };
}
