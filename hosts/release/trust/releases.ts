import { encodeStoredBlockHashes, readBlockHashes } from "../../../src/image/block-hashes.ts";
import { readImageInfo } from "../../../src/image/info.ts";
import { bytesSource } from "../../../src/image/source.ts";
import { formatVersion, type ImageVersion } from "../../../src/image/version.ts";
import {
  type EnergyHints,
  encodeReleaseCustom,
  plainRelease,
} from "../../../src/trust/release-target.ts";
import {
  hardwareRole,
  imageTargetName,
  isDeviceTargetName,
} from "../../../src/trust/target-names.ts";
import { sha256 } from "../keys/signer.ts";
import { type ChangeResult, putTargets } from "./changes.ts";
import type { TargetJson, TargetsDocument } from "./document.ts";
import { delegatedRolesOf, type TrustRepository } from "./repository.ts";
import { evidenceRole } from "./verify.ts";

/** A file beside the images of a release: SBOM, release notes, manifest. */
export interface EvidenceFile {
  /** Without a folder. */
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface ReleaseAddition {
  readonly images: readonly Uint8Array[];
  readonly evidence: readonly EvidenceFile[];
  readonly energy: EnergyHints | null;
  readonly now: number;
}

/**
 * `not-an-image`: it cannot be read. `unsigned`: it has no signature, so no bootloader takes it.
 * `no-hardware`: it does not say what it is for. `several-versions`. `name-invalid`: of a file
 * beside the images. `changed`: that version is in there with other bytes.
 */
export type AdditionRefusal =
  | "not-an-image"
  | "unsigned"
  | "no-hardware"
  | "several-versions"
  | "name-invalid"
  | "changed";

export type AdditionResult =
  | ChangeResult
  | { readonly ok: false; readonly reason: AdditionRefusal; readonly message: string };

/**
 * Drafts of the roles that make images installable: each image becomes a target of the role of its
 * hardware, and of all further hardware that it names; its block hashes and the files beside it
 * become targets of the role "evidence". The files are copied into the repository.
 */
export function addRelease(repository: TrustRepository, addition: ReleaseAddition): AdditionResult {
  const read = addition.images.map(readImage);
  const images: ReadImage[] = [];
  for (const one of read) {
    if ("reason" in one) return one;
    images.push(one);
  }
  const versions = [...new Set(images.map(({ version }) => formatVersion(version)))];
  const [version] = versions;
  if (version === undefined || versions.length > 1)
    return refuse("several-versions", `give images of one version, not of ${versions.join(", ")}`);
  const evidence = evidenceOf(version, images, addition.evidence);
  if ("reason" in evidence) return evidence;
  const byRole = targetsByRole(images, addition.energy, version);
  for (const [role, targets] of byRole) {
    const changed = changedTarget(repository, role, targets);
    if (changed !== null) return refuse("changed", changed);
  }
  for (const image of images)
    for (const hardware of image.release.hardware)
      repository.putTarget(imageTargetName(hardware, image.version), image.sha256, image.bytes);
  for (const [name, bytes] of evidence.files)
    repository.putTarget(name, sha256(bytes).toString("hex"), bytes);
  const drafts = new Set<string>();
  const { now } = addition;
  for (const [hardware, targets] of byRole) {
    const put = putTargets(repository, hardwareRole(hardware), targets, now);
    if (!put.ok) return put;
    for (const role of put.drafts) drafts.add(role);
  }
  const evidenceTargets = Object.fromEntries(
    evidence.files.map(([name, bytes]) => [name, targetOf(bytes)]),
  );
  const put = putTargets(repository, evidenceRole, evidenceTargets, now);
  if (!put.ok) return put;
  return { ok: true, drafts: [...new Set([...drafts, ...put.drafts])] };
}

/** Drafts in which a version is installable no more, on one hardware or on all. */
export function removeRelease(
  repository: TrustRepository,
  wanted: {
    readonly version: ImageVersion;
    readonly hardware: string | null;
    readonly now: number;
  },
): ChangeResult {
  const roles = delegatedRolesOf(repository.latest("targets") as TargetsDocument | null).filter(
    (role) => role !== evidenceRole.name && (wanted.hardware ?? role) === role,
  );
  const drafts: string[] = [];
  for (const role of roles) {
    const name = imageTargetName(role, wanted.version);
    const document = repository.latest(role) as TargetsDocument | null;
    if (document?.signed.targets[name] === undefined) continue;
    const put = putTargets(repository, hardwareRole(role), { [name]: null }, wanted.now);
    if (!put.ok) return put;
    drafts.push(...put.drafts);
  }
  if (drafts.length > 0) return { ok: true, drafts };
  const text = formatVersion(wanted.version);
  return { ok: false, reason: "key-absent", message: `no role lists a release ${text}` };
}

interface ReadImage {
  readonly bytes: Uint8Array;
  readonly sha256: string;
  readonly version: ImageVersion;
  readonly blockHashes: Uint8Array | null;
  readonly release: Omit<Parameters<typeof encodeReleaseCustom>[0], "energy">;
}

type Refused = { readonly ok: false; readonly reason: AdditionRefusal; readonly message: string };

function readImage(bytes: Uint8Array): ReadImage | Refused {
  const source = bytesSource(bytes);
  const read = readImageInfo(source);
  if (!read.ok) return refuse("not-an-image", `a file is no image (${read.reason})`);
  const { info } = read;
  if (info.problem !== null || info.imageHash === null)
    return refuse("not-an-image", `an image has damaged TLVs (${info.problem ?? "no hash"})`);
  if (!info.tlvs.some(({ type }) => type === ecdsaTlv))
    return refuse(
      "unsigned",
      `the image of ${info.version} is not signed; run "sluice release sign"`,
    );
  if (info.hardware === null)
    return refuse("no-hardware", `the image of ${info.version} does not say its hardware`);
  const blocks = readBlockHashes(source, info.header);
  const { version } = info.header;
  const facts = info.release;
  return {
    bytes,
    sha256: sha256(bytes).toString("hex"),
    version,
    blockHashes: blocks === null ? null : encodeStoredBlockHashes(blocks),
    release: {
      ...plainRelease,
      ...facts,
      imageHash: info.imageHash,
      version,
      hardware: facts.hardware ?? [info.hardware],
      securityCounter: info.securityCounter ?? 0,
    },
  };
}

const ecdsaTlv = 0x22;

function targetsByRole(
  images: readonly ReadImage[],
  energy: EnergyHints | null,
  version: string,
): Map<string, Record<string, TargetJson>> {
  const byRole = new Map<string, Record<string, TargetJson>>();
  for (const image of images) {
    const blocks = blockFile(image, version);
    const custom = encodeReleaseCustom({
      ...image.release,
      energy,
      blockHashes: blocks && {
        name: blocks.name,
        lengthBytes: blocks.bytes.length,
        sha256: sha256(blocks.bytes).toString("hex"),
      },
    });
    for (const hardware of image.release.hardware) {
      const targets = byRole.get(hardware) ?? {};
      targets[imageTargetName(hardware, image.version)] = { ...targetOf(image.bytes), custom };
      byRole.set(hardware, targets);
    }
  }
  return byRole;
}

function evidenceOf(
  version: string,
  images: readonly ReadImage[],
  files: readonly EvidenceFile[],
): { readonly files: readonly (readonly [string, Uint8Array])[] } | Refused {
  const all: (readonly [string, Uint8Array])[] = [];
  for (const image of images) {
    const blocks = blockFile(image, version);
    if (blocks !== null) all.push([blocks.name, blocks.bytes]);
  }
  for (const file of files) {
    const name = evidenceName(version, file.name);
    if (!isDeviceTargetName(name) || file.name.includes("/"))
      return refuse(
        "name-invalid",
        `"${file.name}" is no name of a target: letters, digits, "._-"`,
      );
    all.push([name, file.bytes]);
  }
  return { files: all };
}

function blockFile(image: ReadImage, version: string): EvidenceFile | null {
  if (image.blockHashes === null) return null;
  const [hardware = ""] = image.release.hardware;
  return { name: evidenceName(version, `${hardware}.blocks`), bytes: image.blockHashes };
}

function evidenceName(version: string, name: string): string {
  return `evidence/${version.replace("+", "_")}/${name}`;
}

function targetOf(bytes: Uint8Array): TargetJson {
  return { length: bytes.length, hashes: { sha256: sha256(bytes).toString("hex") } };
}

function changedTarget(
  repository: TrustRepository,
  role: string,
  targets: Readonly<Record<string, TargetJson>>,
): string | null {
  const before = (repository.current(role) as TargetsDocument | null)?.signed.targets ?? {};
  for (const [name, target] of Object.entries(targets)) {
    const signed = before[name]?.hashes.sha256;
    if (signed !== undefined && signed !== target.hashes.sha256)
      return `${name} is signed with SHA-256 ${signed}, not ${target.hashes.sha256}; releases never change: build a new version`;
  }
  return null;
}

function refuse(reason: AdditionRefusal, message: string): Refused {
  return { ok: false, reason, message };
}
