import { environmentError } from "./command/environment-error.ts";
import { CommandError, exitCodes } from "./command/exit.ts";
import { run } from "./run.ts";

// A reader such as `head` that has seen enough ends the command; a full disk under a file does so
// too.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(exitCodes.ok);
  const told = environmentError(error, "cannot write the result");
  process.stderr.write(`sluice: ${told instanceof Error ? told.message : String(told)}\n`);
  process.exit(told instanceof CommandError ? told.exitCode : exitCodes.internal);
});
process.stderr.on("error", () => undefined); // nobody is left to tell it to, and the work goes on

const exitCode = await run(process.argv.slice(2));
if (exitCode !== exitCodes.ok) process.exitCode = exitCode; // a subcommand may have set one of its own
