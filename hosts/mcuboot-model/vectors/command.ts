import { replayFolder } from "./replay.ts";

/**
 * What the command prints on stdout, and its exit code: 0 when something passed and nothing failed,
 * 64 for no folder.
 */
export interface CommandResult {
  readonly lines: readonly string[];
  readonly exitCode: 0 | 1 | 64;
}

/** Replays folders of recorded boots; the last line is `N passed, M failed`. */
export function runVectors(folders: readonly string[]): CommandResult {
  const lines: string[] = [];
  let passed = 0;
  let failed = 0;
  for (const path of folders) {
    const report = replayFolder(path);
    passed += report.passed;
    failed += report.failures.length;
    for (const { name, differences } of report.failures)
      lines.push(`FAILED ${name} (${path})`, ...differences.map((text) => `  ${text}`));
  }
  lines.push(`${passed} passed, ${failed} failed`);
  const exitCode = folders.length === 0 ? 64 : failed === 0 && passed > 0 ? 0 : 1;
  return { lines, exitCode };
}
