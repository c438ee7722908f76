import type { Command } from "commander";

/** The parent of subcommands such as `release publish`, made by whichever of them registers first. */
export function commandGroup(program: Command, name: string, description: string): Command {
  const known = program.commands.find((command) => command.name() === name);
  return known ?? program.command(name).description(description);
}
