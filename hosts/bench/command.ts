import { readFileSync } from "node:fs";
import { cpus, totalmem } from "node:os";
import { type Benchmark, type Measurement, meets } from "./benchmark.ts";
import { benchmarks } from "./benchmarks.ts";

export const usage = `Usage: npm run bench -- [NAME...] [--check]
  --check   exit 1 when a target that does not depend on the machine is missed
${benchmarks.map(({ name, about }) => `  ${name.padEnd(16)} ${about}`).join("\n")}`;

/** `missed` only with --check. */
export type BenchOutcome = "met" | "missed" | "usage";

/** Runs the named benchmarks, or all, and tells each number as it is known. */
export async function runBenchmarks(
  argv: readonly string[],
  tell: (line: string) => void,
  known: readonly Benchmark[] = benchmarks,
): Promise<BenchOutcome> {
  const names = argv.filter((argument) => argument !== "--check");
  const unknown = names.find((name) => known.every((benchmark) => benchmark.name !== name));
  if (unknown !== undefined) return "usage";
  for (const line of describeMachine()) tell(line);
  let missed = 0;
  for (const benchmark of known) {
    if (names.length > 0 && !names.includes(benchmark.name)) continue;
    tell(`\n${benchmark.name}: ${benchmark.about}`);
    const missing = benchmark.missing?.() ?? null;
    if (missing !== null) {
      tell(`  skipped: ${missing}`);
      continue;
    }
    for (const measurement of await benchmark.run()) {
      tell(describe(measurement));
      if (!meets(measurement) && measurement.target?.checked === true) missed += 1;
    }
  }
  if (missed > 0) tell(`\n${missed} targets missed`);
  return missed > 0 && argv.includes("--check") ? "missed" : "met";
}

/** The machine and what runs on it: a number without them says nothing. */
function describeMachine(): string[] {
  const [processor] = cpus();
  const { version } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  ) as { version: string };
  const memoryGiB = Math.round(totalmem() / 2 ** 30);
  return [
    `machine: ${processor?.model.trim() ?? "unknown"}, ${cpus().length} cores, ${memoryGiB} GiB, ${process.platform} ${process.arch}`,
    `versions: sluice ${version}, node ${process.version}, v8 ${process.versions.v8}, sqlite ${process.versions["sqlite"] ?? "none"}`,
  ];
}

function describe(measurement: Measurement): string {
  const { what, value, target } = measurement;
  const shown = Number.isInteger(value) ? String(value) : value.toFixed(4);
  if (target === undefined) return `  ${what}: ${shown}`;
  const verdict = meets(measurement) ? "met" : "MISSED";
  const kind = target.checked ? "" : ", on this machine";
  return `  ${what}: ${shown} (at most ${target.max}${kind}: ${verdict})`;
}
