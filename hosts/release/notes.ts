import { formatVersion } from "../../src/image/version.ts";
import type { ReleaseManifest } from "./manifest.ts";

export const notesFileName = "notes.md";

/**
 * The release notes: what the maker wrote, and below it what was built. The same release gives the
 * same bytes.
 */
export function writeNotes(manifest: ReleaseManifest, written: string | null): string {
  const version = formatVersion(manifest.version);
  const lines = [written?.trimEnd() ?? `# ${version}`, "", "## Files", ""];
  lines.push(
    "| component | hardware | file | bytes | SHA-256 |",
    "| --- | --- | --- | ---: | --- |",
  );
  for (const { kind, hardware, name, bytes, sha256 } of manifest.components)
    lines.push(`| ${kind} | ${hardware ?? "all"} | ${name} | ${bytes} | \`${sha256}\` |`);
  lines.push("", "## Builds", "", "| hardware | variant | build id |", "| --- | --- | --- |");
  for (const { hardware, buildId } of manifest.artifacts)
    lines.push(`| ${hardware} | ${manifest.variant} | \`${buildId}\` |`);
  return `${lines.join("\n")}\n`;
}
