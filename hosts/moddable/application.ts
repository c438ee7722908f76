import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * An application of its own, beside the reference firmware: that folder with a manifest.json, whose
 * path it answers. Files that are the same already stay untouched, so that nothing is compiled
 * again for them.
 */
export function writeApplication(
  folder: string,
  manifest: object,
  files: Readonly<Record<string, string>> = {},
): string {
  mkdirSync(folder, { recursive: true });
  const texts = { ...files, "manifest.json": JSON.stringify(manifest, null, 2) };
  for (const [file, text] of Object.entries(texts)) {
    const path = join(folder, file);
    if (!existsSync(path) || readFileSync(path, "utf8") !== text) writeFileSync(path, text);
  }
  return join(folder, "manifest.json");
}
