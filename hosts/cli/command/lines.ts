import type { OutputConfiguration } from "commander";
import { CommandError } from "./exit.ts";

/** One command line, without the program's name. */
export type CommandLine = readonly string[];

/** Runs a command line as if it was typed; an expected failure is thrown as `CommandError`. */
export type RunLine = (line: CommandLine, output: OutputConfiguration) => Promise<void>;

/** A command line as people type it: what a shell would take apart is quoted. */
export function typedLine(line: CommandLine): string {
  return ["sluice", ...line.map(quoted)].join(" ");
}

/**
 * Runs command lines one after another, each told before it begins. The first failure ends it, with
 * the line that failed: those before it are done.
 */
export async function runLines(
  lines: readonly CommandLine[],
  runLine: RunLine,
  { output, tell }: { readonly output: OutputConfiguration; readonly tell: (text: string) => void },
): Promise<void> {
  for (const line of lines) {
    tell(`$ ${typedLine(line)}`);
    try {
      await runLine(line, output);
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      throw new CommandError(`${typedLine(line)}: ${error.message}`, error.exitCode);
    }
  }
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
