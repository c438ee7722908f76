import { readdirSync } from "node:fs";
import { join } from "node:path";
import { readImageInfo } from "../../../src/image/info.ts";
import { bytesSource } from "../../../src/image/source.ts";
import type { ImageVersion } from "../../../src/image/version.ts";
import { counterFor } from "../../release/counter.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { isFolder, readInput } from "../command/files.ts";

/** Where the security counter of an image comes from. */
export interface CounterOptions {
  readonly securityCounter?: number | "auto";
  /** An image of the release before, or a folder of them. */
  readonly previous?: string;
}

const previousFilesMax = 1000;

/** The security counter by the options. Throws `CommandError` with what `counterFor` refuses. */
export function counterOf(
  { securityCounter, previous }: CounterOptions,
  image: { readonly version: ImageVersion; readonly hardware: string },
  raise: boolean,
): number {
  const verdict = counterFor({
    version: image.version,
    wanted: securityCounter ?? null,
    before: previous === undefined ? null : previousCounter(previous, image.hardware),
    raise,
  });
  if (!verdict.ok) throw new CommandError(verdict.message, exitCodes.usage);
  return verdict.counter;
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
