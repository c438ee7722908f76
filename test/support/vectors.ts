import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const beside = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..", "shared", "vectors");

/**
 * The folder of golden vectors recorded from other implementations, or null where this machine has
 * none.
 * `SLUICE_VECTORS` names it; a test that needs it passes `skipWithoutVectors` as its `skip` option.
 */
export const vectorsDirectory: string | null =
  process.env["SLUICE_VECTORS"] ?? (existsSync(beside) ? beside : null);

export const skipWithoutVectors: string | false =
  vectorsDirectory === null ? "skipped: SLUICE_VECTORS names no folder of recorded vectors" : false;
