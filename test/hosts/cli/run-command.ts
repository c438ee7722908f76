import { CommanderError } from "commander";
import { CommandError, exitCodes } from "../../../hosts/cli/exit.ts";
import { createProgram } from "../../../hosts/cli/program.ts";

export interface CommandRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process, as hosts/cli/main.ts does, and keeps what it prints. */
export async function runCommand(...line: readonly string[]): Promise<CommandRun> {
  const written = { stdout: "", stderr: "" };
  const originals = { stdout: process.stdout.write, stderr: process.stderr.write };
  for (const name of ["stdout", "stderr"] as const)
    process[name].write = ((text: string | Uint8Array) => {
      written[name] += String(text);
      return true;
    }) as typeof process.stdout.write;
  const before = process.exitCode;
  process.exitCode = exitCodes.ok;
  try {
    await createProgram().parseAsync(line, { from: "user" });
    return { ...written, exitCode: Number(process.exitCode) };
  } catch (error) {
    if (error instanceof CommanderError)
      return { ...written, exitCode: error.exitCode === 0 ? exitCodes.ok : exitCodes.usage };
    if (!(error instanceof CommandError)) throw error;
    return { ...written, stderr: written.stderr + error.message, exitCode: error.exitCode };
  } finally {
    process.stdout.write = originals.stdout;
    process.stderr.write = originals.stderr;
    process.exitCode = before;
  }
}
