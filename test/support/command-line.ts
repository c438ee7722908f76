import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { run } from "../../hosts/cli/run.ts";

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `sluice` in this process. */
export async function sluice(...argv: string[]): Promise<CommandResult> {
  let stdout = "";
  let stderr = "";
  const exitCode = await run(argv, {
    writeOut: (text) => {
      stdout += text;
    },
    writeErr: (text) => {
      stderr += text;
    },
  });
  return { exitCode, stdout, stderr };
}

/** A folder that goes away with the test. */
export function temporaryFolder(context: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "sluice-test-"));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}
