import { isAbsolute, join, posix, relative, resolve, sep } from "node:path";
import type { Command } from "commander";
import { fromHex } from "../../../src/image/hex.ts";
import type { ImageVersion } from "../../../src/image/version.ts";
import { plainImage } from "../../../src/image/writer.ts";
import { buildFirmware } from "../../release/build.ts";
import { checkPayloadFits, type SlotDescription } from "../../release/fit.ts";
import {
  encodeManifest,
  type FirmwareVariant,
  type ManifestArtifact,
  manifestFileName,
  type ReleaseManifest,
} from "../../release/manifest.ts";
import { notesFileName } from "../../release/notes.ts";
import { sbomFileName } from "../../release/sbom.ts";
import { CommandError } from "../command/exit.ts";
import { makeFolder, writeResult } from "../command/files.ts";
import { formatBytes, note, printJson } from "../command/output.ts";
import {
  addEvidenceOptions,
  besideOf,
  binariesOf,
  type EvidenceOptions,
  evidenceOf,
} from "../options/evidence-options.ts";
import { hardwareIds, version } from "../options/options.ts";
import { addSlotOptions, type SlotOptions, slotOf } from "../options/slot-option.ts";
import {
  addWishOptions,
  checkedFacts,
  type WishOptions,
  wishesOf,
} from "../options/wish-options.ts";

interface ReleaseBuildOptions extends SlotOptions, WishOptions, EvidenceOptions {
  readonly version: ImageVersion;
  readonly hardware: string[];
  readonly entry: string;
  readonly root: string;
  readonly variant: string;
  readonly out: string;
  readonly json?: true;
}

/** `sluice release build` */
export function registerReleaseBuild(group: Command): void {
  const command = group
    .command("build")
    .description("Bundle a firmware into the payload of an image, the same bytes everywhere")
    .requiredOption("--version <version>", "major.minor.revision+build", version)
    .requiredOption("--hardware <ids>", "hardware ids, joined by commas", hardwareIds)
    .option("--root <folder>", "folder of the sources", ".")
    .option("--entry <file>", "first source file, in the root", "src/main.ts")
    .option("--variant <variant>", "release (minified) or debug (readable)", "release")
    .option("--out <folder>", "where the payloads and the manifest go", "build/release")
    .option("--json", "print the manifest");
  addSlotOptions(addWishOptions(addEvidenceOptions(command))).action(buildRelease);
}

async function buildRelease(options: ReleaseBuildOptions, command: Command): Promise<void> {
  const slot = slotOf(options);
  const release = wishesOf(options);
  const root = resolve(options.root);
  const result = await buildFirmware({
    root,
    entry: entryIn(root, options.entry),
    version: options.version,
    hardware: options.hardware,
    variant: variantOf(options.variant),
    release,
    beside: besideOf(options),
    binaries: binariesFor(options, command),
  });
  if (!result.ok) throw new CommandError(`cannot build the firmware: ${result.message}`);
  const { manifest, payloads } = result.build;
  for (const [index, payload] of payloads.entries())
    await refuseUnfit(payload, manifest.artifacts[index], manifest, slot);
  const { sbom, notes } = evidenceOf(root, manifest, options);
  makeFolder(options.out);
  manifest.artifacts.forEach((artifact, index) => {
    writeResult(join(options.out, artifact.file), payloads[index] ?? new Uint8Array(0));
    const size = formatBytes(artifact.bytes);
    const file = join(options.out, artifact.file);
    note(command, `${file}: ${size}, build ${artifact.buildId}, SHA-256 ${artifact.sha256}`);
  });
  const text = encodeManifest(manifest);
  writeResult(join(options.out, manifestFileName), text);
  writeResult(join(options.out, sbomFileName), sbom);
  writeResult(join(options.out, notesFileName), notes);
  if (options.json === true) printJson(command, JSON.parse(text));
}

/** Before anything is written: an image that no slot takes must not come as far as a signature. */
async function refuseUnfit(
  payload: Uint8Array,
  artifact: ManifestArtifact | undefined,
  { version: imageVersion, release: wishes }: ReleaseManifest,
  slot: SlotDescription,
): Promise<void> {
  if (artifact === undefined) throw new TypeError("a payload without its line in the manifest");
  const { hardware } = artifact;
  const buildId = fromHex(artifact.buildId);
  const release = checkedFacts(wishes, { version: imageVersion, hardware });
  const facts = { version: imageVersion, hardware, buildId, release, securityCounter: 0 };
  const fits = await checkPayloadFits(payload, { ...plainImage, ...facts }, slot);
  if (!fits.ok) throw new CommandError(`${artifact.file} cannot become an image: ${fits.message}`);
}

function binariesFor(options: ReleaseBuildOptions, command: Command): Map<string, Uint8Array> {
  const binaries = binariesOf(options, command);
  for (const hardware of binaries.keys())
    if (!options.hardware.includes(hardware))
      throw new CommandError(`--binary is for ${hardware}, which --hardware does not name`, 2);
  return binaries;
}

function entryIn(root: string, entry: string): string {
  const path = relative(root, isAbsolute(entry) ? entry : resolve(root, entry));
  if (path.startsWith("..") || isAbsolute(path))
    throw new CommandError(`the entry ${entry} lies outside the root ${root}; set --root`);
  return path.split(sep).join(posix.sep);
}

function variantOf(text: string): FirmwareVariant {
  if (text === "release" || text === "debug") return text;
  throw new CommandError(`--variant is "${text}", must be release or debug`, 2);
}
