import { exitCodes } from "../../../hosts/cli/command/exit.ts";
import { type CommandResult, sluice } from "../../support/command-line.ts";

export type CommandRun = CommandResult;

/** Runs a command line in this process, as hosts/cli/main.ts does, and keeps what it prints. */
export async function runCommand(...line: readonly string[]): Promise<CommandRun> {
  const before = process.exitCode;
  process.exitCode = exitCodes.ok;
  try {
    const result = await sluice(...line);
    // A subcommand may have set one of its own.
    return { ...result, exitCode: result.exitCode || Number(process.exitCode) };
  } finally {
    process.exitCode = before;
  }
}
