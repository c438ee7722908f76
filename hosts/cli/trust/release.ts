import { basename, join } from "node:path";
import type { Command } from "commander";
import type { ImageVersion } from "../../../src/image/version.ts";
import { addRelease, removeRelease } from "../../release/trust/releases.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { isFolder, listFolder, readInput } from "../command/files.ts";
import * as parse from "../options/options.ts";
import {
  addRepositoryOption,
  changeRepository,
  draftChange,
  type RepositoryFlags,
  tellDrafts,
} from "./trust-options.ts";

interface AddFlags extends RepositoryFlags {
  readonly evidence: readonly string[];
  readonly trialSeconds?: number;
  readonly batteryPercent?: number;
}

/** `sluice trust add-release` */
export function registerTrustAddRelease(group: Command): void {
  const text = (value: string): string => value;
  const command = group
    .command("add-release")
    .description("Draft the roles that make signed images installable")
    .argument("<images...>", "signed images of one version, or folders of them")
    .option(
      "--evidence <path>",
      "file that belongs to the release, or a folder of release build: SBOM, notes, manifest; may be repeated",
      parse.collect(text),
      [],
    )
    .option(
      "--trial-seconds <n>",
      "how long a trial boot takes to become healthy, at most",
      parse.wholeNumber({ min: 1, max: 3600 }),
    )
    .option(
      "--battery-percent <n>",
      "the least charge at which to begin",
      parse.wholeNumber({ min: 0, max: 100 }),
    );
  addRepositoryOption(command).action((paths: string[], flags: AddFlags, self: Command) => {
    const images = paths.flatMap((path) => filesOf(path, /\.image$/));
    if (images.length === 0) throw new CommandError(`${paths.join(", ")} holds no *.image file`);
    const release = {
      images: images.map((path) => readInput(path, "the image")),
      evidence: flags.evidence
        .flatMap((path) => filesOf(path, /\.(json|md|txt)$/))
        .map((path) => ({ name: basename(path), bytes: readInput(path, "the file") })),
      energy: energyOf(flags),
      now: Date.now(),
    };
    return changeRepository(flags, "add-release", (repository) => {
      const result = addRelease(repository, release);
      if (!result.ok) throw new CommandError(result.message);
      tellDrafts(self, repository, result);
    });
  });
}

/** `sluice trust remove-release` */
export function registerTrustRemoveRelease(group: Command): void {
  const command = group
    .command("remove-release")
    .description("Draft the roles in which a version is installable no more")
    .argument("<version>", "the version", parse.version)
    .option("--hardware <id>", "on this hardware only", parse.hardwareId);
  addRepositoryOption(command).action(
    (version: ImageVersion, flags: RepositoryFlags & { hardware?: string }, self: Command) => {
      const which = { version, hardware: flags.hardware ?? null, now: Date.now() };
      return draftChange(self, flags, (repository) => removeRelease(repository, which));
    },
  );
}

function energyOf({ trialSeconds, batteryPercent }: AddFlags) {
  if (trialSeconds === undefined && batteryPercent === undefined) return null;
  if (trialSeconds === undefined || batteryPercent === undefined)
    throw new CommandError("give --trial-seconds and --battery-percent together", exitCodes.usage);
  return { trialSecondsPerBoot: trialSeconds, batteryPercentMin: batteryPercent };
}

function filesOf(path: string, pattern: RegExp): string[] {
  if (!isFolder(path)) return [path];
  return listFolder(path, "the folder")
    .filter((name) => pattern.test(name))
    .map((name) => join(path, name));
}
