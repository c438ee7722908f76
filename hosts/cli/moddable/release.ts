import type { Command } from "commander";
import { formatVersion, type ImageVersion } from "../../../src/image/version.ts";
import { type FlashMiB, flashMiBs } from "../../flash/partitions.ts";
import { writeResult } from "../command/files.ts";
import { formatBytes, note, printJson } from "../command/output.ts";
import * as parse from "../options/options.ts";
import { addSignerOptions, openImageSigners, type SignerFlags } from "../options/signer-options.ts";
import { buildApplication, defaultHardware, requireSdk, signApplication } from "./application.ts";

interface ReleaseFlags extends SignerFlags {
  readonly version: ImageVersion;
  readonly securityCounter: number;
  readonly hardware: string;
  readonly flash: FlashMiB;
  readonly debug?: true;
  readonly out: string;
  readonly json?: true;
}

/** `sluice moddable release` */
export function registerModdableRelease(group: Command): void {
  const command = group
    .command("release")
    .description("Compile a Moddable application for the simulator and sign it as a release")
    .argument("[application]", "its folder or its manifest.json", ".")
    .requiredOption("-v, --version <version>", "of the release", parse.version)
    .option(
      "-s, --security-counter <n>",
      "never lower than before",
      parse.wholeNumber({ min: 0, max: 0xffff_ffff }),
      1,
    )
    .option("--hardware <id>", "what it runs on", parse.hardwareId, defaultHardware)
    .option("--flash <MiB>", "size of the flash of its boards", parse.numberOf(flashMiBs), 4)
    .option("--debug", "compile for xsbug")
    .requiredOption("--out <file>", "the image, for sluice release publish")
    .option("--json", "tell the image as JSON");
  addSignerOptions(command).action(release);
}

async function release(application: string, flags: ReleaseFlags, command: Command): Promise<void> {
  const sdk = requireSdk((line) => note(command, line));
  const keys = await openImageSigners(flags);
  const variant = flags.debug ? "debug" : "release";
  const built = await buildApplication(sdk, application, variant);
  const { version, hardware, securityCounter, flash: flashMiB } = flags;
  const facts = { version, hardware, securityCounter, flashMiB };
  const { image, imageHash, fileHash, imageBytesMax } = await signApplication(built, facts, keys);
  writeResult(flags.out, image);
  note(
    command,
    `${flags.out}: ${built.name} ${formatVersion(version)} for ${hardware}, ${formatBytes(image.length)} of ${formatBytes(imageBytesMax)}`,
  );
  if (flags.json !== true) return;
  const told = { version: formatVersion(version), hardware, imageHash, fileHash };
  printJson(command, { file: flags.out, ...told, bytes: image.length });
}
