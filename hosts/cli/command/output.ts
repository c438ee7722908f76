import type { Command, OutputConfiguration } from "commander";
import { printableCopy, printableLines } from "../../text/terminal-text.ts";

/**
 * Where all output of a command goes, its errors and the help included: nothing in it moves the
 * cursor, paints the terminal or turns the direction of writing, whoever said it.
 */
export function guardedOutput(output: OutputConfiguration): OutputConfiguration {
  const {
    writeOut = (text: string) => process.stdout.write(text),
    writeErr = (text: string) => process.stderr.write(text),
  } = output;
  return {
    ...output,
    writeOut: (text) => writeOut(printableLines(text)),
    writeErr: (text) => writeErr(printableLines(text)),
  };
}

/** Writes a result: to stdout, or where `run` was told to. */
export function print(command: Command, text: string): void {
  command.configureOutput().writeOut?.(`${text}\n`);
}

/** Writes a result for programs, one JSON value. */
export function printJson(command: Command, value: unknown): void {
  print(command, JSON.stringify(value, null, 2));
}

/**
 * Writes what a server answered: on one line of JSON, or in our words, in which its own texts stay
 * within their places.
 */
export function printAnswer<T>(
  command: Command,
  flags: { readonly json?: true },
  answer: T,
  inWords: (answer: T) => string,
): void {
  if (flags.json === true) print(command, JSON.stringify(answer));
  else print(command, inWords(printableCopy(answer)));
}

/** Writes a message for people: to stderr. */
export function note(command: Command, text: string): void {
  command.configureOutput().writeErr?.(`${text}\n`);
}

/** "1,234 bytes". */
export function formatBytes(bytes: number): string {
  return `${bytes.toLocaleString("en-US")} bytes`;
}
