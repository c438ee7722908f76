import { Command } from "commander";

/** The whole command line; each subcommand registers itself from a file of its own. */
export function createProgram(): Command {
  const program = new Command("sluice");
  program
    .description("Updates ESP32 fleets over the air and never loses a device")
    .version("0.1.0")
    .showHelpAfterError()
    .exitOverride();
  return program;
}
