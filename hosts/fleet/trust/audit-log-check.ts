import { accessSync, closeSync, constants, openSync } from "node:fs";
import { dirname } from "node:path";
import { readLogEnd } from "../../release/keys/audit-end.ts";

/**
 * Why the next use of a key could not be written into the log, or null: judged as the writer will.
 * Nothing is changed. Reads a quarter of a megabyte at most.
 */
export function auditLogProblem(path: string): string | null {
  try {
    accessSync(dirname(path), constants.W_OK);
  } catch (error) {
    return auditLogText(path, error);
  }
  try {
    const file = openSync(path, "r+");
    try {
      readLogEnd(file, path);
    } finally {
      closeSync(file);
    }
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? null : auditLogText(path, error);
  }
}

export function auditLogText(path: string, error: unknown): string {
  return `the audit log ${path} cannot be written (${(error as Error).message}): nothing is signed until it can be; check it with "sluice audit verify", and the disk`;
}
