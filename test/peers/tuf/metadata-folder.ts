import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StorageError } from "../../../src/ports/board.ts";
import { escapedName } from "../../../src/trust/addresses.ts";
import type { MetadataStore } from "../../../src/trust/metadata-store.ts";

/** Trusted metadata as `ROLE.json` in a folder; a file is replaced in one step. */
export function metadataFolder(folder: string): MetadataStore {
  const pathOf = (roleName: string): string => join(folder, `${escapedName(roleName)}.json`);
  return {
    read(roleName) {
      try {
        return readFileSync(pathOf(roleName));
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
    write(roleName, bytes) {
      const path = pathOf(roleName);
      const part = `${path}.part`;
      try {
        mkdirSync(folder, { recursive: true });
        writeFileSync(part, bytes, { flush: true });
        renameSync(part, path);
      } catch (error) {
        throw new StorageError(`${path}: ${error instanceof Error ? error.message : error}`);
      }
    },
    delete: (roleName) => rmSync(pathOf(roleName), { force: true }),
  };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
