import type { Command } from "commander";

/** Writes a result: to stdout, or where `run` was told to. */
export function print(command: Command, text: string): void {
  command.configureOutput().writeOut?.(`${text}\n`);
}

/** Writes a result for programs, one JSON value. */
export function printJson(command: Command, value: unknown): void {
  print(command, JSON.stringify(value, null, 2));
}

/** Writes a message for people: to stderr. */
export function note(command: Command, text: string): void {
  command.configureOutput().writeErr?.(`${text}\n`);
}

/** "1,234 bytes". */
export function formatBytes(bytes: number): string {
  return `${bytes.toLocaleString("en-US")} bytes`;
}
