import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Command } from "commander";
import { type BuiltRelease, describeDiff, diffReleases, isSame } from "../../release/diff.ts";
import { manifestFileName, parseManifest } from "../../release/manifest.ts";
import { readSbomParts, sbomFileName } from "../../release/sbom.ts";
import { CommandError } from "../command/exit.ts";
import { isFolder, readText } from "../command/files.ts";
import { note, print, printJson } from "../command/output.ts";

/** `sluice release diff` */
export function registerReleaseDiff(group: Command): void {
  group
    .command("diff")
    .description("Show what changed from one build to another: bytes, sources, parts, licences")
    .argument("<before>", "a folder of release build, or its manifest")
    .argument("<after>", "another one")
    .option("--json", "as JSON")
    .action((before: string, after: string, flags: { json?: true }, command: Command) => {
      const [a, b] = [readRelease(before), readRelease(after)];
      const diff = diffReleases(a, b);
      if (a.parts === null || b.parts === null)
        note(
          command,
          `note: ${a.parts === null ? before : after} has no ${sbomFileName}, so parts and licences count as none`,
        );
      if (flags.json === true) printJson(command, diff);
      else if (isSame(diff)) note(command, "nothing differs");
      else print(command, describeDiff(diff));
    });
}

function readRelease(path: string): BuiltRelease {
  const file = isFolder(path) ? join(path, manifestFileName) : path;
  const parsed = parseManifest(readText(file, "the manifest"));
  if (!parsed.ok) throw new CommandError(`${file} ${parsed.reason}; run "sluice release build"`);
  const beside = join(dirname(file), sbomFileName);
  if (!existsSync(beside)) return { manifest: parsed.manifest, parts: null };
  const parts = readSbomParts(readText(beside, "the SBOM"));
  if (parts === null) throw new CommandError(`${beside} is no CycloneDX SBOM in JSON`);
  return { manifest: parsed.manifest, parts };
}
