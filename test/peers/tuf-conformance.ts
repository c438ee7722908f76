import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Cases for clients in the suite of August 2026; a later one may have more. */
export const conformanceCasesMin = 110;

/** The suite's tests of its own server, which no client takes part in. */
const ownTests = "test_repository_simulator.py";

export interface ConformanceSuite {
  readonly folder: string;
  readonly python: string;
}

/**
 * Looks where `TUF_CONFORMANCE` points; `TUF_PYTHON` names a Python that has the suite's packages.
 */
export function findConformance(
  environment: Readonly<Record<string, string | undefined>>,
): { ok: true; suite: ConformanceSuite } | { ok: false; missing: readonly string[] } {
  const folder = environment["TUF_CONFORMANCE"];
  if (folder === undefined || folder === "")
    return {
      ok: false,
      missing: [
        "TUF_CONFORMANCE names no checkout of https://github.com/theupdateframework/tuf-conformance",
        "docs/trust.md says what it needs",
      ],
    };
  const missing: string[] = [];
  if (!existsSync(join(folder, "tuf_conformance", "conftest.py")))
    missing.push(`${folder} holds no tuf_conformance/conftest.py: is it a checkout of the suite?`);
  const python = environment["TUF_PYTHON"] ?? "python3";
  const packages = "import tuf.api.metadata, securesystemslib.hash, pytest, pytest_jsonreport";
  const imported = spawnSync(python, ["-c", packages], { encoding: "utf8" });
  if (imported.status !== 0)
    missing.push(
      `${python} lacks the suite's packages: ${imported.error?.message ?? imported.stderr.trim().split("\n").at(-1)}`,
      "docs/trust.md names them; TUF_PYTHON may name the Python of a virtual environment",
    );
  if (spawnSync("faketime", ["--version"]).error !== undefined)
    missing.push("the command faketime is missing (Debian's package faketime)");
  if (missing.length > 0) return { ok: false, missing };
  return { ok: true, suite: { folder: resolve(folder), python } };
}

export type ConformanceOutcome =
  | {
      readonly ok: true;
      readonly passed: number;
      /** Failed, skipped, or expected to fail: none of them counts as passed. */
      readonly others: readonly { readonly name: string; readonly result: string }[];
    }
  | { readonly ok: false; readonly reason: string };

/** Runs the suite against `test/peers/tuf-client.ts`; its output goes to ours. */
export async function runConformance(
  suite: ConformanceSuite,
  projectRoot: string,
): Promise<ConformanceOutcome> {
  // The suite splits the command at spaces.
  const command = `${process.execPath} ${join(projectRoot, "test", "peers", "tuf-client.ts")}`;
  if (command.split(" ").length !== 2)
    return { ok: false, reason: `the suite cannot run a path with spaces: ${command}` };
  const folder = mkdtempSync(join(tmpdir(), "sluice-peers-"));
  const report = join(folder, "report.json");
  try {
    const code = await run(suite, [
      ...["-m", "pytest", "-q", "-p", "no:cacheprovider", "tuf_conformance"],
      ...["--entrypoint", command, "--json-report", `--json-report-file=${report}`],
    ]);
    if (!existsSync(report)) return { ok: false, reason: `pytest ended with ${code}, no report` };
    return readReport(readFileSync(report, "utf8"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function run(suite: ConformanceSuite, args: readonly string[]): Promise<number | null> {
  const environment = { ...process.env, PYTHONDONTWRITEBYTECODE: "1" };
  const child = spawn(suite.python, args, {
    cwd: suite.folder,
    env: environment,
    stdio: ["ignore", "inherit", "inherit"],
  });
  return new Promise((done, fail) => {
    child.on("error", fail);
    child.on("exit", done);
  });
}

/** The report of pytest-json-report: `{tests: [{nodeid, outcome}]}`. */
export function readReport(text: string): ConformanceOutcome {
  const { tests } = JSON.parse(text) as {
    tests?: readonly { nodeid: string; outcome: string }[];
  };
  const cases = (tests ?? []).filter(({ nodeid }) => !nodeid.includes(ownTests));
  const others = cases
    .filter(({ outcome }) => outcome !== "passed")
    .map(({ nodeid, outcome }) => ({ name: nodeid, result: outcome }));
  return { ok: true, passed: cases.length - others.length, others };
}
