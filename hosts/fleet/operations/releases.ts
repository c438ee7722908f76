import {
  decodeReleaseFacts,
  type SignedReleaseFacts,
  unsignedReleaseFacts,
} from "../../../src/image/release-facts.ts";
import { fitsHardware } from "../rollout/eligibility.ts";
import type { ImageRow, ReleaseRow } from "../storage/releases.ts";

/** What is published and offered: an image for one hardware, or a configuration document. */
export type ReleaseFile = FirmwareImage | ConfigurationFile;

interface PublishedFile {
  readonly id: number;
  readonly releaseId: number;
  readonly version: string;
  readonly hardware: string;
  /** What devices name it by: an image's own hash, a document's file hash. */
  readonly imageHash: string;
  readonly fileHash: string;
  readonly fileSha1: string;
  readonly fileMd5: string;
  readonly fileBytes: number;
  readonly fileName: string;
  readonly createdAtUnixMs: number;
}

export interface FirmwareImage extends PublishedFile {
  readonly kind: "firmware";
  readonly securityCounter: number | null;
  readonly buildId: string | null;
  readonly release: SignedReleaseFacts;
}

/** One file for any hardware. */
export interface ConfigurationFile extends PublishedFile {
  readonly kind: "configuration";
  /** The document's own version, which grows. */
  readonly configurationVersion: number;
}

export type Release = FirmwareRelease | ConfigurationRelease;

interface PublishedRelease {
  readonly id: number;
  readonly version: string;
  readonly createdAtUnixMs: number;
}

export interface FirmwareRelease extends PublishedRelease {
  readonly kind: "firmware";
  readonly images: readonly FirmwareImage[];
}

export interface ConfigurationRelease extends PublishedRelease {
  readonly kind: "configuration";
  readonly configurationVersion: number;
  /** One, once it is published whole. */
  readonly images: readonly ConfigurationFile[];
}

/**
 * The file for devices of a hardware: the image made for it, else the first one that says it runs
 * there too; a configuration is for any.
 */
export function imageFor(release: Release, hardware: string | null): ReleaseFile | null {
  if (hardware === null) return null;
  if (release.kind === "configuration") return release.images[0] ?? null;
  const own = release.images.find((image) => image.hardware === hardware);
  return own ?? release.images.find((image) => fitsHardware(image, hardware)) ?? null;
}

/** The release as it stands in its row, with the files that it is known to have. */
export function releaseOfRow(row: ReleaseRow, known: Release | undefined): Release {
  const { id, version, created_at: createdAtUnixMs, configuration_version } = row;
  const facts = { id, version, createdAtUnixMs };
  return configuration_version === null
    ? { kind: "firmware", ...facts, images: known?.kind === "firmware" ? known.images : [] }
    : {
        kind: "configuration",
        ...facts,
        configurationVersion: configuration_version,
        images: known?.kind === "configuration" ? known.images : [],
      };
}

/** The release with one more file, and that file. */
export function withFile(
  release: Release,
  row: ImageRow,
): { readonly release: Release; readonly file: ReleaseFile } {
  const facts = {
    id: row.id,
    releaseId: row.release_id,
    version: release.version,
    hardware: row.hardware,
    imageHash: row.image_hash,
    fileHash: row.file_sha256,
    fileSha1: row.file_sha1,
    fileMd5: row.file_md5,
    fileBytes: row.file_bytes,
    fileName: row.file_name,
    createdAtUnixMs: row.created_at,
  };
  if (release.kind === "configuration") {
    const { kind, configurationVersion } = release;
    const file = { kind, ...facts, configurationVersion };
    return { release: { ...release, images: [...release.images, file] }, file };
  }
  const { security_counter: securityCounter, build_id: buildId } = row;
  const { kind } = release;
  const file = { kind, ...facts, securityCounter, buildId, release: factsOfRow(row) };
  return { release: { ...release, images: [...release.images, file] }, file };
}

/** The release with those of its files that the test takes. */
export function withFilesThat(
  release: Release,
  isWanted: (file: Pick<ReleaseFile, "id" | "createdAtUnixMs">) => boolean,
): Release {
  return release.kind === "configuration"
    ? { ...release, images: release.images.filter(isWanted) }
    : { ...release, images: release.images.filter(isWanted) };
}

function factsOfRow({ id, facts }: ImageRow): SignedReleaseFacts {
  if (facts === null) return unsignedReleaseFacts;
  const decoded = decodeReleaseFacts(new TextEncoder().encode(facts));
  if (!decoded.ok) throw new Error(`the facts of image ${id} are ${decoded.reason}`);
  return decoded.facts;
}
