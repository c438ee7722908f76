import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readImageInfo } from "../../src/image/info.ts";
import { bytesSource } from "../../src/image/source.ts";
import type { ImageVersion } from "../../src/image/version.ts";
import { CommandError, exitCodes } from "./exit.ts";
import { isFolder, readInput } from "./files.ts";
import { securityCounterOf } from "./options.ts";

/** Where the security counter of an image comes from. */
export interface CounterOptions {
  readonly securityCounter?: number | "auto";
  /** An image of the release before, or a folder of them. */
  readonly previous?: string;
}

const counterMax = 0xffff_ffff;
const previousFilesMax = 1000;

/**
 * The security counter of an image. It stays that of the release before unless `raise` says otherwise, because a device
 * can never go back to an image with a lower one.
 */
export function counterOf(
  options: CounterOptions,
  image: { readonly version: ImageVersion; readonly hardware: string },
  raise: boolean,
): number {
  const { securityCounter: wanted, previous } = options;
  if (wanted === undefined && previous === undefined)
    throw usage(
      "the security counter is not known: give --previous with an image of the release before, whose counter is kept, or --security-counter N",
    );
  if (wanted === "auto" && !raise)
    throw usage(
      "--security-counter auto raises the counter with every version, and no device could roll back late; give a number, or add --raise-counter",
    );
  const before = previous === undefined ? null : previousCounter(previous, image.hardware);
  if (wanted === undefined) return kept(before ?? 0, raise);
  const counter = wanted === "auto" ? securityCounterOf(image.version) : wanted;
  if (before !== null && counter < before)
    throw usage(
      `--security-counter ${counter} is below ${before}, which the release before has; no device would boot it`,
    );
  if (before !== null && counter > before && !raise)
    throw usage(
      `--security-counter ${counter} is above ${before}, which the release before has; no device could roll back late; add --raise-counter if that is meant`,
    );
  return counter;
}

function kept(before: number, raise: boolean): number {
  if (raise && before === counterMax)
    throw usage(`the security counter is ${before} already and cannot be raised`);
  return raise ? before + 1 : before;
}

function previousCounter(path: string, hardware: string): number {
  const files = isFolder(path)
    ? readdirSync(path)
        .sort()
        .slice(0, previousFilesMax)
        .map((name) => join(path, name))
        .filter((file) => !isFolder(file))
    : [path];
  const counters = files.flatMap((file) => {
    const read = readImageInfo(bytesSource(readInput(file, "the release before")));
    if (!read.ok || read.info.totalBytes === null) return [];
    const fits = read.info.release.hardware ?? [read.info.hardware];
    return fits.includes(hardware) ? [read.info.securityCounter ?? 0] : [];
  });
  if (counters.length === 0)
    throw new CommandError(
      `--previous ${path} holds no image for ${hardware}; give the release before, or --security-counter N`,
    );
  return Math.max(...counters);
}

function usage(message: string): CommandError {
  return new CommandError(message, exitCodes.usage);
}
