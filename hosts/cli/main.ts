import { exitCodes } from "./exit.ts";
import { run } from "./run.ts";

// A reader such as `head` that has seen enough: there is nobody left to tell.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(exitCodes.ok);
});
const exitCode = await run(process.argv.slice(2));
if (exitCode !== exitCodes.ok) process.exitCode = exitCode; // a subcommand may have set one of its own
