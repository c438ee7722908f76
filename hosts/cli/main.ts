import { CommanderError } from "commander";
import { CommandError, exitCodes } from "./exit.ts";
import { createProgram } from "./program.ts";

try {
  await createProgram().parseAsync();
} catch (error) {
  process.exitCode = explain(error);
}

/** Says on stderr what went wrong, unless commander has done so, and answers the exit code. */
function explain(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
  if (error instanceof CommandError) {
    process.stderr.write(`sluice: ${error.message}\n`);
    return error.exitCode;
  }
  process.stderr.write(`sluice: a defect: ${error instanceof Error ? error.stack : error}\n`);
  return exitCodes.internal;
}
