import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import type { JsonValue } from "../../src/protocol/json.ts";
import { CommandError } from "./exit.ts";

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
    throw new CommandError(`${path} is no JSON: ${(error as Error).message}`);
  }
}

/** Writes a result where the user wants it; an existing file is replaced. */
export function writeResult(path: string, bytes: Uint8Array | string): void {
  try {
    writeFileSync(path, bytes);
  } catch (error) {
    throw new CommandError(`cannot write ${path}: ${explain(error)}`);
  }
}

/** Writes a file that must not be there yet, with access rights. */
export function writeNew(path: string, text: string, mode: number): void {
  try {
    writeFileSync(path, text, { flag: "wx", mode });
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

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

const explanations: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder; check the path",
  EACCES: "no permission; check the rights of the file and its folder",
  EEXIST: "it exists and is not overwritten; choose another name or move it away",
  EISDIR: "it is a folder, a file is needed",
  ENOTDIR: "a part of the path is a file, a folder is needed",
  ENOSPC: "the disk is full",
};

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  return explanations[code] ?? error.message;
}
