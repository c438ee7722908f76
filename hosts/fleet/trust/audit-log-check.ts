import { constants } from "node:fs";
import { access, open } from "node:fs/promises";
import { dirname } from "node:path";
import { readAuditEntry } from "../../release/keys/audit-entry.ts";

const tailBytesMax = 256 * 1024;

/** Why the next use of a key could not be written into the log, or null. Nothing is changed. */
export async function auditLogProblem(path: string): Promise<string | null> {
  try {
    await access(dirname(path), constants.W_OK);
    const file = await open(path, constants.O_RDWR);
    try {
      const { size } = await file.stat();
      const tail = Buffer.alloc(Math.min(size, tailBytesMax));
      await file.read(tail, 0, tail.length, size - tail.length);
      const end = tail.lastIndexOf(0x0a);
      const line = tail.subarray(tail.lastIndexOf(0x0a, end - 1) + 1, Math.max(end, 0)).toString();
      // A longer line than that is none of a log of ours either.
      if (line !== "" && readAuditEntry(line) === null)
        throw new Error("its last line is no entry");
    } finally {
      await file.close();
    }
    return null;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" ? null : auditLogText(path, error);
  }
}

export function auditLogText(path: string, error: unknown): string {
  return `the audit log ${path} cannot be written (${(error as Error).message}): nothing is signed until it can be; check it with "sluice audit verify", and the disk`;
}
