import type { Command } from "commander";
import {
  configurationSchemaMax,
  encodeReleaseFacts,
  type SignedReleaseFacts,
} from "../../../src/image/release-facts.ts";
import { compareVersions, formatVersion, type ImageVersion } from "../../../src/image/version.ts";
import { factsOf, type ReleaseWishes } from "../../release/wishes.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { collect, hardwareId, version, wholeNumber } from "./options.ts";

/** What `addWishOptions` reads. */
export interface WishOptions {
  readonly breaking?: true;
  readonly allowDowngrade?: true;
  readonly bootloaderMin?: ImageVersion;
  readonly steppingStone?: ImageVersion;
  readonly schemaMin?: number;
  readonly schemaMax?: number;
  readonly alsoHardware: string[];
  readonly overrideWindow?: true;
  readonly raiseCounter?: true;
}

/**
 * The options that say what a release says of itself; `release build` and `release sign` have both.
 */
export function addWishOptions(command: Command): Command {
  const schema = wholeNumber({ min: 0, max: configurationSchemaMax });
  return command
    .option("--breaking", "a minor version that needs an operator's approval, as a major one does")
    .option("--allow-downgrade", "it may replace a newer version of its own patch series")
    .option("--bootloader-min <version>", "the oldest bootloader that it runs with", version)
    .option("--stepping-stone <version>", "the version that a device must run before", version)
    .option("--schema-min <n>", "the oldest configuration schema that it reads (0)", schema)
    .option("--schema-max <n>", "the newest one (65535)", schema)
    .option(
      "--also-hardware <id>",
      "it runs on this hardware too; may be repeated",
      collect(hardwareId),
      [],
    )
    .option("--override-window", "a security fix: a forced deployment may ignore the windows")
    .option("--raise-counter", "raise the security counter, which ends rolling back late");
}

export function wishesOf(options: WishOptions): ReleaseWishes {
  const { schemaMin, schemaMax } = options;
  const schemas =
    schemaMin === undefined && schemaMax === undefined
      ? null
      : { min: schemaMin ?? 0, max: schemaMax ?? configurationSchemaMax };
  if (schemas !== null && schemas.min > schemas.max)
    throw usage(`--schema-min ${schemas.min} is above --schema-max ${schemas.max}; swap them`);
  return {
    breaking: options.breaking ?? false,
    allowDowngrade: options.allowDowngrade ?? false,
    bootloaderMin: options.bootloaderMin ?? null,
    steppingStone: options.steppingStone ?? null,
    schemas,
    alsoHardware: options.alsoHardware,
    overrideWindow: options.overrideWindow ?? false,
    raiseCounter: options.raiseCounter ?? false,
  };
}

/** What the image is to say; a usage error for what no device could ever follow. */
export function checkedFacts(
  wishes: ReleaseWishes,
  image: { readonly version: ImageVersion; readonly hardware: string },
): SignedReleaseFacts {
  const { steppingStone } = wishes;
  if (steppingStone !== null && compareVersions(steppingStone, image.version) >= 0)
    throw usage(
      `--stepping-stone ${formatVersion(steppingStone)} is not older than the release, ${formatVersion(image.version)}; name a version that comes before it`,
    );
  const facts = factsOf(wishes, image.hardware);
  try {
    encodeReleaseFacts(facts);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw usage(`${error.message}; name less hardware`);
  }
  return facts;
}

function usage(message: string): CommandError {
  return new CommandError(message, exitCodes.usage);
}
