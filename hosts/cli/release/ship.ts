import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { readImageInfo } from "../../../src/image/info.ts";
import { bytesSource } from "../../../src/image/source.ts";
import {
  compareVersions,
  formatVersion,
  type ImageVersion,
  parseVersion,
} from "../../../src/image/version.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { isFolder, readInput } from "../command/files.ts";
import { type CommandLine, type RunLine, runLines } from "../command/lines.ts";
import { note } from "../command/output.ts";
import { holdSecret } from "../command/secrets.ts";
import { type Configuration, configuration } from "../options/configuration.ts";
import { hardwareIds, version } from "../options/options.ts";
import {
  addPassphraseOptions,
  type PassphraseFlags,
  readPassphrase,
} from "../options/passphrase.ts";
import { isPageOf } from "../server/answer-shape.ts";
import { FleetClient, type FleetFlags, withFleetFlags } from "../server/fleet-client.ts";
import { isRelease, isRollout } from "../server/fleet-views.ts";

interface ShipFlags extends FleetFlags, PassphraseFlags {
  readonly version: ImageVersion;
  readonly hardware: readonly string[];
  readonly root: string;
  readonly entry: string;
  readonly out?: string;
  readonly policy?: string;
  readonly raiseCounter?: true;
  readonly start?: true;
}

/**
 * `sluice release ship`: build, sign, add to the signed metadata, publish and plan, for whoever
 * holds all keys. What is done is not done again, so that typing it again goes on after a failure.
 */
export function registerReleaseShip(group: Command, runLine: RunLine): void {
  addPassphraseOptions(
    withFleetFlags(
      group
        .command("ship")
        .description("Build, sign, publish and plan a release: one command for all of its steps")
        .requiredOption("--version <version>", "major.minor.revision+build", version)
        .requiredOption("--hardware <ids>", "hardware ids, joined by commas", hardwareIds)
        .option("--root <folder>", "folder of the sources", ".")
        .option("--entry <file>", "first source file, in the root", "src/main.ts")
        .option("--out <folder>", "where the release goes; else releases/VERSION of --config")
        .option("--policy <name>", "how it is rolled out: sluice policy list")
        .option("--raise-counter", "raise the security counter, which ends rolling back late")
        .option("--start", "open the first stage at once"),
    ),
  ).action((flags: ShipFlags, command: Command) => ship(flags, command, runLine));
}

async function ship(flags: ShipFlags, command: Command, runLine: RunLine): Promise<void> {
  const found = configuration();
  if (found === null)
    throw new CommandError(
      'give --config DIR, which holds all keys that a release needs; "sluice init DIR" makes one',
      exitCodes.usage,
    );
  const releases = join(found.folder, "releases");
  const out = flags.out ?? join(releases, formatVersion(flags.version));
  const passphrase = await readPassphrase(flags, `the passphrase of the keys in ${found.folder}`);
  holdSecret("SLUICE_PASSPHRASE", passphrase);
  const client = new FleetClient(flags);
  // Asked before anything is built: a server that cannot be reached is the most likely failure.
  const { items } = await client.get("/releases", isPageOf(isRelease));
  const name = formatVersion(flags.version);
  const images = items.flatMap(({ version: its, images: of }) =>
    of.map((image) => ({ ...image, version: its })),
  );
  const published = images.filter((image) => image.version === name);
  const counters = images
    .filter(({ hardware }) => flags.hardware.includes(hardware))
    .map(({ securityCounter }) => securityCounter ?? 0);
  const tell = (text: string): void => note(command, text);
  const to = { output: command.configureOutput(), tell };
  const places = {
    out,
    releases,
    published: published.map(({ hardware }) => hardware),
    counter: Math.max(firstCounter, ...counters),
  };
  await runLines(releaseLines(flags, found, places), runLine, to);
  const rollouts = await client.get("/rollouts", isPageOf(isRollout));
  const planned = rollouts.items.find(
    ({ releaseVersion, state }) => releaseVersion === name && state !== "cancelled",
  );
  await runLines(rolloutLines(flags, name, planned ?? null), runLine, to);
}

/** What devices leave the factory with. */
const firstCounter = 1;

interface Places {
  readonly out: string;
  readonly releases: string;
  /** The hardware for which the server has the version. */
  readonly published: readonly string[];
  /** Where no release before is at hand: what the server's images for this hardware have. */
  readonly counter: number;
}

function releaseLines(
  { version: wanted, hardware, root, entry, raiseCounter, fleet, token }: ShipFlags,
  found: Configuration,
  { out, releases, published, counter }: Places,
): readonly CommandLine[] {
  const images = join(out, "images");
  const config = ["--config", found.folder];
  const server = [...config, "--fleet", fleet, ...(token === undefined ? [] : ["--token", token])];
  const text = formatVersion(wanted);
  const lines: CommandLine[] = [];
  if (!hardware.every((one) => published.includes(one))) {
    const what = ["--version", text, "--hardware", hardware.join(",")];
    const source = ["--root", root, "--entry", entry];
    const previous = previousImages(releases, wanted);
    const before =
      previous === null ? ["--security-counter", String(counter)] : ["--previous", previous];
    const raise = raiseCounter === true ? ["--raise-counter"] : [];
    const files = hardware.map((one) => join(images, `sluice-${text}-${one}.image`));
    lines.push(
      ["release", "build", ...what, ...source, "--out", out],
      ["release", "sign", out, ...before, ...raise, "--out", `${images}/`, ...config],
      ["trust", "add-release", images, "--evidence", out, ...config],
      ["trust", "sign", "--signer", found.targetsSigner, ...config],
      ["release", "publish", ...files, ...server],
    );
  }
  return [...lines, ["trust", "publish", ...server]];
}

function rolloutLines(
  { start, policy, fleet, token }: ShipFlags,
  version: string,
  planned: { readonly id: number; readonly state: string } | null,
): readonly CommandLine[] {
  const server = ["--fleet", fleet, ...(token === undefined ? [] : ["--token", token])];
  const config = ["--config", configuration()?.folder ?? "", ...server];
  if (planned !== null)
    return start === true && planned.state === "ready"
      ? [["rollout", "start", String(planned.id), ...config]]
      : [["rollout", "show", String(planned.id), ...config]];
  const by = policy === undefined ? [] : ["--policy", policy];
  const now = start === true ? ["--start"] : [];
  return [["rollout", "create", "--release", version, ...by, ...now, ...config]];
}

/** The images of the newest release before this one, which tell the fielded counter. */
function previousImages(releases: string, wanted: ImageVersion): string | null {
  if (!isFolder(releases)) return null;
  const before = readdirSync(releases).flatMap((name) => {
    const images = join(releases, name, "images");
    const found = isFolder(images) ? versionIn(images) : null;
    return found !== null && compareVersions(found, wanted) < 0 ? [{ found, images }] : [];
  });
  before.sort((a, b) => compareVersions(b.found, a.found));
  return before[0]?.images ?? null;
}

function versionIn(images: string): ImageVersion | null {
  const file = readdirSync(images).find((name) => name.endsWith(".image"));
  if (file === undefined) return null;
  const read = readImageInfo(bytesSource(readInput(join(images, file), "the release before")));
  return read.ok ? parseVersion(read.info.version) : null;
}
