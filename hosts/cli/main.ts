import { exitCodes } from "./exit.ts";
import { run } from "./run.ts";

const exitCode = await run(process.argv.slice(2));
if (exitCode !== exitCodes.ok) process.exitCode = exitCode; // a subcommand may have set one of its own
