import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { isHardwareId } from "../../../src/image/hardware.ts";
import { bundlerVersion } from "../../release/bundle.ts";
import type { ManifestComponent, ReleaseManifest } from "../../release/manifest.ts";
import { writeNotes } from "../../release/notes.ts";
import { nativeParts, npmParts, type SoftwarePart } from "../../release/parts.ts";
import { type ProjectFacts, writeSbom } from "../../release/sbom.ts";
import { CommandError } from "../command/exit.ts";
import { readInput, readText } from "../command/files.ts";
import * as parse from "./options.ts";
import { readPayload } from "./payload-file.ts";

/** A file for one hardware, or for all when `hardware` is null. */
export interface HardwareFile {
  readonly hardware: string | null;
  readonly path: string;
}

export interface EvidenceOptions {
  readonly bootloader: readonly HardwareFile[];
  readonly configuration: readonly HardwareFile[];
  readonly binary: readonly HardwareFile[];
  readonly notes?: string;
  readonly nativeParts?: string;
}

/** What belongs to a release beside the application that is built. */
export function addEvidenceOptions(command: Command): Command {
  return command
    .option(
      "--binary <hardware=file>",
      "a payload of another build, such as zephyr.bin, instead of the bundle; may be repeated",
      parse.collect(fileOfHardware),
      [],
    )
    .option(
      "--bootloader <hardware=file>",
      "the bootloader it runs with: its hash goes into manifest and SBOM; may be repeated",
      parse.collect(fileOfHardware),
      [],
    )
    .option(
      "--configuration <file>",
      "a configuration it ships with, or HARDWARE=FILE; may be repeated",
      parse.collect(fileOfAny),
      [],
    )
    .option("--notes <file>", "release notes in Markdown; the list of files is put below them")
    .option(
      "--native-parts <file>",
      `native libraries for the SBOM; ${nativePartsDefault} if it is there`,
    );
}

/** Bootloaders and configurations by their hashes. */
export function besideOf(options: EvidenceOptions): ManifestComponent[] {
  const of = (kind: ManifestComponent["kind"], files: readonly HardwareFile[]) =>
    files.map(({ hardware, path }): ManifestComponent => {
      const bytes = readInput(path, `the ${kind}`);
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      return { kind, hardware, name: basename(path), bytes: bytes.length, sha256 };
    });
  return [...of("bootloader", options.bootloader), ...of("configuration", options.configuration)];
}

export function binariesOf(options: EvidenceOptions, command: Command): Map<string, Uint8Array> {
  return new Map(
    options.binary.map(({ hardware, path }) => [
      hardware ?? "",
      readPayload(path, "the binary", {}, command),
    ]),
  );
}

/** SBOM and release notes of what was built from the sources in `root`. */
export function evidenceOf(
  root: string,
  manifest: ReleaseManifest,
  options: EvidenceOptions,
): { readonly sbom: string; readonly notes: string } {
  const written = options.notes === undefined ? null : readText(options.notes, "the notes");
  return {
    sbom: writeSbom(manifest, partsOf(root, manifest, options), projectOf(root)),
    notes: writeNotes(manifest, written),
  };
}

const nativePartsDefault = "hosts/esp32/native-parts.json";

function partsOf(
  root: string,
  manifest: ReleaseManifest,
  options: EvidenceOptions,
): SoftwarePart[] {
  const parts: SoftwarePart[] = [];
  const lock = join(root, "package-lock.json");
  const tools = Object.keys(manifest.tools);
  if (existsSync(lock)) {
    const found = npmParts(readText(lock, "the lock file"), { modules: manifest.modules, tools });
    if (!found.ok) throw new CommandError(`${lock} ${found.reason}`);
    parts.push(...found.parts);
  }
  // A project that does not lock its bundler is built with ours all the same.
  if (tools.includes("esbuild") && !parts.some(({ name }) => name === "esbuild"))
    parts.push({ ...ownBundler, version: bundlerVersion });
  const native = options.nativeParts ?? join(root, nativePartsDefault);
  if (options.nativeParts === undefined && !existsSync(native)) return parts;
  const found = nativeParts(readText(native, "the native parts"));
  if (!found.ok) throw new CommandError(`${native} ${found.reason}`);
  return [...parts, ...found.parts];
}

const ownBundler = {
  kind: "npm",
  name: "esbuild",
  license: "MIT",
  purl: `pkg:npm/esbuild@${bundlerVersion}`,
  integrity: null,
  in: [],
  needs: [],
} as const;

/** What the package.json in the folder of the sources says; `firmware` is the name without one. */
function projectOf(root: string): ProjectFacts {
  const path = join(root, "package.json");
  if (!existsSync(path)) return { name: "firmware", license: null };
  try {
    const { name, license } = JSON.parse(readText(path, "the package")) as Record<string, unknown>;
    return {
      name: typeof name === "string" ? name : "firmware",
      license: typeof license === "string" ? license : null,
    };
  } catch {
    throw new CommandError(`${path} is not JSON`);
  }
}

function fileOfHardware(text: string): HardwareFile {
  const file = fileOfAny(text);
  if (file.hardware === null)
    throw new InvalidArgumentError("Must be HARDWARE=FILE such as esp32c3-b=zephyr.bin.");
  return file;
}

function fileOfAny(text: string): HardwareFile {
  const at = text.indexOf("=");
  const hardware = text.slice(0, Math.max(at, 0));
  if (!isHardwareId(hardware)) return { hardware: null, path: text };
  return { hardware, path: text.slice(at + 1) };
}
