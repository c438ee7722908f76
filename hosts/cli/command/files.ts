import { mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import type { JsonValue } from "../../../src/protocol/json.ts";
import { withFileLock } from "../../files/file-lock.ts";
import { createFile, replaceFile } from "../../files/replace-file.ts";
import { printable } from "../../text/terminal-text.ts";
import { explain } from "./environment-error.ts";
import { CommandError } from "./exit.ts";

const lockWaitMsMax = 30_000;

/**
 * Reads a file that the user named. A missing or unreadable one is a `CommandError` that says which
 * and why.
 */
export function readInput(path: string, what: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new CommandError(`cannot read ${what} ${path}: ${explain(error)}`);
  }
}

export function readText(path: string, what: string): string {
  return new TextDecoder().decode(readInput(path, what));
}

export function readJson(path: string, what: string): JsonValue {
  const text = readText(path, what);
  try {
    return JSON.parse(text) as JsonValue;
  } catch (error) {
    throw new CommandError(`${path} is no JSON: ${printable((error as Error).message)}`);
  }
}

/** Writes a result where the user wants it; an existing file is replaced whole or not at all. */
export function writeResult(path: string, bytes: Uint8Array | string, mode = 0o666): void {
  try {
    replaceFile(path, bytes, mode);
  } catch (error) {
    throw new CommandError(`cannot write ${path}: ${explain(error)}`);
  }
}

/** Reads a file, changes it and replaces it while no other command can. */
export async function changeFile(
  path: string,
  what: string,
  purpose: string,
  change: (before: Uint8Array) => Uint8Array,
): Promise<void> {
  readInput(path, what); // what is not there is told before anything is put beside it
  await withFileLock(path, { purpose, waitMsMax: lockWaitMsMax }, () =>
    writeResult(path, change(readInput(path, what))),
  );
}

/** Writes a file that must not be there yet, with access rights. */
export function writeNew(path: string, text: string, mode: number): void {
  try {
    createFile(path, text, mode);
  } catch (error) {
    throw new CommandError(`cannot create ${path}: ${explain(error)}`);
  }
}

/** Makes a folder, and those above it, unless it is there. */
export function makeFolder(path: string): void {
  try {
    mkdirSync(path, { recursive: true });
  } catch (error) {
    throw new CommandError(`cannot make the folder ${path}: ${explain(error)}`);
  }
}

/** The names in a folder that the user named, in order. */
export function listFolder(path: string, what: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch (error) {
    throw new CommandError(`cannot list ${what} ${path}: ${explain(error)}`);
  }
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
