import { createHash } from "node:crypto";
import { existsSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { blockBytesDefault } from "../../../src/image/block-hashes.ts";
import { formatVersion, type ImageVersion } from "../../../src/image/version.ts";
import { plainImage } from "../../../src/image/writer.ts";
import { sectorBytes } from "../../flash/geometry.ts";
import type { FlashMiB } from "../../flash/partitions.ts";
import { partitionTable, writeBlockBytes } from "../../flash/partitions.ts";
import { findSdk, type ModdableSdk, sdkVersion } from "../../moddable/sdk.ts";
import { type SignedImage, signImage } from "../../release/sign.ts";
import { CommandError, exitCodes } from "../command/exit.ts";
import { type OpenKey, reportingSigners, signersFor } from "../options/signer-options.ts";

/** What an image is for that runs in the SDK's build for Linux: never for a chip. */
export const defaultHardware = "moddable-lin";

export interface BuiltApplication {
  readonly name: string;
  /** The payload of an image: see `ModdableSdk.payload`. */
  readonly payload: Uint8Array;
}

/** The SDK that MODDABLE names; what is missing ends the command, a line each. */
export function requireSdk(note: (line: string) => void): ModdableSdk {
  const found = findSdk();
  if (!found.ok) throw new CommandError(found.missing.join("\n"), exitCodes.input);
  const { version } = found.sdk;
  if (version !== sdkVersion)
    note(`note: SDK ${version ?? "without a version"}; this was tried with ${sdkVersion}`);
  return found.sdk;
}

/** The manifest of an application that is named by its folder or by its manifest.json. */
export function manifestOf(application: string): string {
  const path = resolve(application);
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  const manifest = isFolder ? join(path, "manifest.json") : path;
  if (!existsSync(manifest))
    throw new CommandError(
      `${isFolder ? `there is no manifest.json in ${application}` : `there is no ${application}`}; name the folder of a Moddable application`,
    );
  return manifest;
}

/** Compiles with mcconfig. */
export async function buildApplication(
  sdk: ModdableSdk,
  application: string,
  variant: "release" | "debug",
): Promise<BuiltApplication> {
  const manifest = manifestOf(application);
  let library: string;
  try {
    library = await sdk.build({ manifest, variant });
  } catch (error) {
    throw new CommandError(`${(error as Error).message}${hintFor((error as Error).message)}`);
  }
  const name = basename(resolve(manifest, ".."));
  return { name, payload: await sdk.payload(library) };
}

/** What mcconfig says of an application that leaves out what docs/moddable.md asks for. */
function hintFor(output: string): string {
  const hosts = /sluice\/board|embedded:storage\/(?:flash|key-value)|embedded:io\/analog/;
  if (hosts.test(output))
    return '\nthe manifest lacks its host: add "platforms": {"lin": {"include": ".../hosts/moddable/manifest.json"}}, see docs/moddable.md';
  if (/sluice\/sluice/.test(output))
    return '\nthe manifest lacks the firmware: add ".../src/manifest.json" to "include", see docs/moddable.md';
  return "";
}

export interface ImageFacts {
  readonly version: ImageVersion;
  readonly hardware: string;
  readonly securityCounter: number;
  readonly flashMiB: FlashMiB;
}

/** The image of an application: signed, with block hashes, and refused when no slot takes it. */
export async function signApplication(
  { name, payload }: BuiltApplication,
  { version, hardware, securityCounter, flashMiB }: ImageFacts,
  keys: readonly OpenKey[],
): Promise<SignedImage> {
  if (keys.length === 0)
    throw new CommandError(
      'no key to sign with: give --key PEM or --signer ADDRESS; "sluice keys create --out image.pem" makes one',
      exitCodes.usage,
    );
  const slotBytes = partitionTable({ soc: "esp32c3", flashMiB }).slot0.sizeBytes;
  const buildId = createHash("sha256").update(payload).digest();
  const result = await reportingSigners(() =>
    signImage({
      payload,
      options: {
        ...plainImage,
        ...{ version, hardware, securityCounter, buildId, blockBytes: blockBytesDefault },
      },
      signers: signersFor(keys, `application ${name} ${formatVersion(version)}`),
      slot: { slotBytes, sectorBytes, writeBlockBytes, maxAlignBytes: 8 },
      form: "file",
    }),
  );
  if (!result.ok) throw new CommandError(`${name}: ${result.message}`);
  return result.signed;
}
