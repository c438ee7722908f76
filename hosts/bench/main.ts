import { runBenchmarks, usage } from "./command.ts";

const outcome = await runBenchmarks(process.argv.slice(2), (line) => {
  process.stdout.write(`${line}\n`);
});
if (outcome === "usage") process.stderr.write(`${usage}\n`);
process.exitCode = outcome === "usage" ? 64 : outcome === "missed" ? 1 : 0;
