import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Command } from "commander";
import { blockBytesDefault } from "../../../src/image/block-hashes.ts";
import { fromHex } from "../../../src/image/hex.ts";
import { formatVersion, type ImageVersion } from "../../../src/image/version.ts";
import { plainImage } from "../../../src/image/writer.ts";
import type { SlotDescription } from "../../release/fit.ts";
import { manifestFileName, parseManifest, type ReleaseManifest } from "../../release/manifest.ts";
import { signImage } from "../../release/sign.ts";
import { joinWishes, noWishes, type ReleaseWishes } from "../../release/wishes.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { isFolder, makeFolder, readInput, readText, writeResult } from "../command/files.ts";
import { formatBytes, note, printJson } from "../command/output.ts";
import { configuration } from "../options/configuration.ts";
import * as parse from "../options/options.ts";
import {
  addNestedOption,
  type NestedFlags,
  readPayload,
  refuseForeign,
} from "../options/payload-file.ts";
import { type CounterOptions, counterOf } from "../options/previous-release.ts";
import {
  addSignerOptions,
  type OpenKey,
  openImageSigners,
  reportingSigners,
  type SignerFlags,
  signersFor,
} from "../options/signer-options.ts";
import { addSlotOptions, type SlotOptions, slotOf } from "../options/slot-option.ts";
import {
  addWishOptions,
  checkedFacts,
  type WishOptions,
  wishesOf,
} from "../options/wish-options.ts";

interface ReleaseSignOptions
  extends SlotOptions,
    WishOptions,
    CounterOptions,
    SignerFlags,
    NestedFlags {
  readonly out: string;
  readonly version?: ImageVersion;
  readonly hardware?: string;
  readonly buildId?: Uint8Array;
  readonly json?: true;
}

/** One payload with what its image says. */
interface Candidate {
  readonly path: string;
  readonly payload: Uint8Array;
  readonly version: ImageVersion;
  readonly hardware: string;
  readonly buildId: Uint8Array | null;
  /** The wishes in the release's manifest. */
  readonly wishes: ReleaseWishes;
}

/** `sluice release sign` */
export function registerReleaseSign(group: Command): void {
  const command = group
    .command("sign")
    .description("Make signed images of what release build made, or of one payload")
    .argument("<path>", "the folder of release build, or one payload file")
    .option("--previous <path>", "the release before, an image or a folder: keeps its counter")
    .option("--security-counter <n>", "a number, never lower than before", parse.securityCounter)
    .requiredOption("--out <path>", "the image; a folder when there are several payloads")
    .option("--version <version>", "of a payload without a manifest", parse.version)
    .option("--hardware <id>", "of a payload without a manifest", parse.hardwareId)
    .option("--build-id <hex>", "of a payload without a manifest", parse.buildId)
    .option("--json", "tell the images as JSON");
  addSlotOptions(addSignerOptions(addWishOptions(addNestedOption(command)))).action(signRelease);
}

async function signRelease(
  path: string,
  options: ReleaseSignOptions,
  command: Command,
): Promise<void> {
  const signer = signersOf(options);
  if (options.key.length + signer.length === 0)
    throw new CommandError(
      "give the key to sign with: --key PEM or --signer ADDRESS",
      exitCodes.usage,
    );
  const candidates = candidatesOf(path, options, command);
  const keys = await openImageSigners({ ...options, signer });
  const slot = slotOf(options);
  const signed = [];
  for (const candidate of candidates) signed.push(await signOne(candidate, options, keys, slot));
  const isSingle = candidates.length === 1 && !isFolder(options.out) && !options.out.endsWith("/");
  if (!isSingle) makeFolder(options.out);
  const told = signed.map(({ image, ...facts }) => {
    const name = `sluice-${facts.version}-${facts.hardware}.image`;
    const file = isSingle ? options.out : join(options.out, name);
    writeResult(file, image);
    note(command, `${file}: ${formatBytes(facts.bytes)} of ${formatBytes(facts.imageBytesMax)}`);
    return { file, ...facts };
  });
  if (options.json === true) printJson(command, { images: told });
}

/** The one of the configuration where the command line names none. */
function signersOf({ key, signer }: ReleaseSignOptions): readonly string[] {
  const found = configuration();
  return found === null || key.length + signer.length > 0 ? signer : [found.imageSigner];
}

async function signOne(
  candidate: Candidate,
  options: ReleaseSignOptions,
  keys: readonly OpenKey[],
  slot: SlotDescription,
) {
  const { version, hardware, buildId } = candidate;
  const wishes = joinWishes(candidate.wishes, wishesOf(options));
  const release = checkedFacts(wishes, candidate);
  const securityCounter = counterOf(options, candidate, wishes.raiseCounter);
  const signers = signersFor(keys, `image ${formatVersion(version)} for ${hardware}`);
  const facts = { version, hardware, buildId, securityCounter, release };
  const result = await reportingSigners(() =>
    signImage({
      payload: candidate.payload,
      options: { ...plainImage, ...facts, blockBytes: blockBytesDefault },
      signers,
      slot,
      form: "file",
    }),
  );
  if (!result.ok) throw new CommandError(`cannot sign ${candidate.path}: ${result.message}`);
  const { image, imageHash, fileHash, imageBytesMax } = result.signed;
  return {
    image,
    version: formatVersion(version),
    hardware,
    securityCounter,
    bytes: image.length,
    imageBytesMax,
    imageHash,
    fileHash,
  };
}

function candidatesOf(path: string, options: ReleaseSignOptions, command: Command): Candidate[] {
  if (isFolder(path)) {
    const manifest = readManifest(join(path, manifestFileName));
    return manifest.artifacts.map(({ file }) => fromManifest(manifest, path, file, options));
  }
  const beside = join(dirname(path), manifestFileName);
  if (options.version === undefined && existsSync(beside))
    return [fromManifest(readManifest(beside), dirname(path), basename(path), options)];
  if (options.version === undefined || options.hardware === undefined)
    throw new CommandError(
      `there is no ${manifestFileName} beside ${path}; give --version and --hardware`,
      exitCodes.usage,
    );
  const { version, hardware, buildId = null } = options;
  const payload = readPayload(path, "the payload", options, command);
  return [{ path, payload, version, hardware, buildId, wishes: noWishes }];
}

function fromManifest(
  manifest: ReleaseManifest,
  folder: string,
  file: string,
  flags: NestedFlags,
): Candidate {
  const artifact = manifest.artifacts.find((entry) => entry.file === file);
  if (artifact === undefined)
    throw new CommandError(`${join(folder, manifestFileName)} does not list ${file}`);
  const path = join(folder, file);
  const payload = readInput(path, "the payload");
  const sha256 = createHash("sha256").update(payload).digest("hex");
  if (sha256 !== artifact.sha256)
    throw new CommandError(
      `${path} was changed after it was built: its SHA-256 is ${sha256}, the manifest says ${artifact.sha256}; build it again`,
    );
  refuseForeign(payload, path, flags);
  const { hardware } = artifact;
  const { version, release: wishes } = manifest;
  return { path, payload, version, hardware, buildId: fromHex(artifact.buildId), wishes };
}

function readManifest(path: string): ReleaseManifest {
  const parsed = parseManifest(readText(path, "the manifest"));
  if (!parsed.ok) throw new CommandError(`${path} ${parsed.reason}; run "sluice release build"`);
  return parsed.manifest;
}
