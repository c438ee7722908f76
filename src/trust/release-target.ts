import { isHardwareId } from "../image/hardware.ts";
import {
  configurationSchemaMax,
  type SignedReleaseFacts,
  unsignedReleaseFacts,
} from "../image/release-facts.ts";
import { formatVersion, type ImageVersion, parseVersion } from "../image/version.ts";
import { integerAt, isSha256Hex, member, objectAt, textAt, textsAt } from "./fields.ts";
import { isJsonArray, isJsonObject, type JsonObject, type JsonValue } from "./json.ts";
import { accepted, refused, type Verdict } from "./refusal.ts";
import { isDeviceTargetName } from "./target-names.ts";

/** The one member of a target's `custom` (clause 4.5) that is ours. */
const releaseMember = "sluice";
const releaseFormat = 1;
const hardwareIdsMax = 16;
const deltaBasesMax = 8;

/**
 * What the offline keys say of an image: `custom.sluice` of its target. The facts for the rules of
 * compatibility have the names that they have in the image's TLV 0x00A3.
 */
export interface ReleaseTarget extends SignedReleaseFacts {
  /** The image's SHA-256 TLV in lower-case hex: what will run. */
  readonly imageHash: string;
  readonly version: ImageVersion;
  /** The hardware ids it may be installed on; at least one. */
  readonly hardware: readonly string[];
  /** The image's, 0 when it has none; the director document repeats it as its release counter. */
  readonly securityCounter: number;
  readonly energy: EnergyHints | null;
  /** The file with the block hashes of this image: the value of TLV 0x00A2. */
  readonly blockHashes: SignedFile | null;
  readonly deltas: readonly SignedDelta[];
}

/** What a device may count with beside its own board's constants. */
export interface EnergyHints {
  /** How long a trial boot of this release takes to become healthy, at most. */
  readonly trialSecondsPerBoot: number;
  /** The least charge at which to begin. */
  readonly batteryPercentMin: number;
}

/** A file that this target's signature covers, although another role lists it. */
export interface SignedFile {
  /** The file's name, like a target's relative to the base of the targets. */
  readonly name: string;
  readonly lengthBytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

/** A patch that makes this image of one that runs. */
export interface SignedDelta extends SignedFile {
  /** The image hash of what has to run. */
  readonly baseImageHash: string;
}

/** What a release says that needs nothing special. */
export const plainRelease = {
  ...unsignedReleaseFacts,
  energy: null,
  blockHashes: null,
  deltas: [],
} as const satisfies Partial<Omit<ReleaseTarget, "hardware">> & SignedReleaseFacts;

/**
 * The target's `custom`. What says nothing is left out, to keep the role small. Throws RangeError
 * on a release that `parseReleaseCustom` would refuse.
 */
export function encodeReleaseCustom(release: ReleaseTarget): JsonObject {
  const custom = { [releaseMember]: encodeRelease(release) };
  const read = parseReleaseCustom(custom);
  if (!read.ok) throw new RangeError(`the release cannot be described: ${read.detail}`);
  return custom;
}

/**
 * Reads a target's `custom`. Names that are not known are passed over, so that later versions may
 * say more; what an older firmware must not pass over is listed in `critical`, and refused.
 */
export function parseReleaseCustom(custom: JsonValue | undefined): Verdict<ReleaseTarget> {
  const root = isJsonObject(custom) ? objectAt(custom, releaseMember) : null;
  if (root === null) return wrong(`there is no object "${releaseMember}" in its custom field`);
  const format = integerAt(root, "format", 0);
  if (format !== releaseFormat) return wrong(`its format is ${format}, known is ${releaseFormat}`);
  const critical = member(root, "critical") === undefined ? [] : textsAt(root, "critical");
  const foreign = critical?.find((name) => !knownMembers.includes(name));
  if (critical === null || foreign !== undefined)
    return wrong(`"${foreign ?? "critical"}" must be understood and is not`);
  const reader = new MemberReader(root);
  const release = readRelease(reader);
  return reader.defect === null
    ? accepted(release)
    : wrong(`its "${reader.defect}" is missing or malformed`);
}

const knownMembers: readonly string[] = [
  ...["format", "critical", "imageHash", "version", "hardware", "securityCounter", "breaking"],
  ...["downgrade", "bootloaderMin", "schemas", "steppingStone", "windowOverride"],
  ...["energy", "blockHashes", "deltas"],
];

function wrong(detail: string): ReturnType<typeof refused> {
  return refused("release-facts", `the signed release cannot be read: ${detail}`);
}

function encodeRelease(release: ReleaseTarget): JsonObject {
  const { bootloaderVersionMin, configurationSchemas: schemas, steppingStone, energy } = release;
  return {
    format: releaseFormat,
    imageHash: release.imageHash,
    version: formatVersion(release.version),
    hardware: release.hardware,
    securityCounter: release.securityCounter,
    ...(release.breaking && { breaking: true }),
    ...(release.downgradeAllowed && { downgrade: true }),
    ...(bootloaderVersionMin && { bootloaderMin: formatVersion(bootloaderVersionMin) }),
    ...(schemas && { schemas: [schemas.min, schemas.max] }),
    ...(steppingStone && { steppingStone: formatVersion(steppingStone) }),
    ...(release.windowOverride && { windowOverride: true }),
    ...(energy && {
      energy: {
        trialSecondsPerBoot: energy.trialSecondsPerBoot,
        batteryPercentMin: energy.batteryPercentMin,
      },
    }),
    ...(release.blockHashes && { blockHashes: encodeFile(release.blockHashes) }),
    ...(release.deltas.length > 0 && {
      deltas: release.deltas.map((delta) => ({
        base: delta.baseImageHash,
        ...encodeFile(delta),
      })),
    }),
  };
}

function encodeFile(file: SignedFile): JsonObject {
  return { name: file.name, length: file.lengthBytes, sha256: file.sha256 };
}

const counterMax = 0xffffffff;
const trialSecondsMax = 3600;

function readRelease(reader: MemberReader): ReleaseTarget {
  return {
    imageHash: reader.needed("imageHash", asSha256, ""),
    version: reader.needed("version", asVersion, noVersion),
    hardware: reader.needed("hardware", asHardwareIds, []),
    securityCounter: reader.needed("securityCounter", (value) => within(value, 0, counterMax), 0),
    breaking: reader.optional("breaking", asFlag) ?? false,
    downgradeAllowed: reader.optional("downgrade", asFlag) ?? false,
    bootloaderVersionMin: reader.optional("bootloaderMin", asVersion),
    configurationSchemas: reader.optional("schemas", asSchemas),
    steppingStone: reader.optional("steppingStone", asVersion),
    windowOverride: reader.optional("windowOverride", asFlag) ?? false,
    energy: reader.optional("energy", asEnergyHints),
    blockHashes: reader.optional("blockHashes", asFile),
    deltas: reader.optional("deltas", asDeltas) ?? [],
  };
}

const noVersion: ImageVersion = { major: 0, minor: 0, revision: 0, build: 0 };

/** Remembers the first member that could not be read. */
class MemberReader {
  defect: string | null = null;
  readonly #object: JsonObject;

  constructor(object: JsonObject) {
    this.#object = object;
  }

  needed<T>(name: string, read: (value: JsonValue) => T | null, instead: T): T {
    const value = member(this.#object, name);
    const found = value === undefined ? null : read(value);
    if (found === null) this.defect ??= name;
    return found ?? instead;
  }

  /** Null when it is absent. */
  optional<T>(name: string, read: (value: JsonValue) => T | null): T | null {
    const value = member(this.#object, name);
    if (value === undefined) return null;
    const found = read(value);
    if (found === null) this.defect ??= name;
    return found;
  }
}

function asSha256(value: JsonValue): string | null {
  return typeof value === "string" && isSha256Hex(value) ? value : null;
}

function asVersion(value: JsonValue): ImageVersion | null {
  return typeof value === "string" ? parseVersion(value) : null;
}

function asFlag(value: JsonValue): boolean | null {
  return typeof value === "boolean" ? value : null;
}

function within(value: JsonValue | undefined, min: number, max: number): number | null {
  const fits = typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
  return fits ? value : null;
}

function asHardwareIds(value: JsonValue): readonly string[] | null {
  if (!isJsonArray(value) || value.length === 0 || value.length > hardwareIdsMax) return null;
  const ids = value.filter((id) => typeof id === "string").filter(isHardwareId);
  return ids.length === value.length ? ids : null;
}

function asSchemas(value: JsonValue): { readonly min: number; readonly max: number } | null {
  if (!isJsonArray(value) || value.length !== 2) return null;
  const min = within(value[0], 0, configurationSchemaMax);
  const max = within(value[1], min ?? 0, configurationSchemaMax);
  return min === null || max === null ? null : { min, max };
}

function asEnergyHints(value: JsonValue): EnergyHints | null {
  if (!isJsonObject(value)) return null;
  const trialSecondsPerBoot = within(member(value, "trialSecondsPerBoot"), 1, trialSecondsMax);
  const batteryPercentMin = within(member(value, "batteryPercentMin"), 0, 100);
  return trialSecondsPerBoot === null || batteryPercentMin === null
    ? null
    : { trialSecondsPerBoot, batteryPercentMin };
}

function asFile(value: JsonValue): SignedFile | null {
  if (!isJsonObject(value)) return null;
  const name = textAt(value, "name");
  const lengthBytes = integerAt(value, "length", 0);
  const sha256 = textAt(value, "sha256");
  if (name === null || !isDeviceTargetName(name)) return null;
  return lengthBytes === null || !isSha256Hex(sha256) ? null : { name, lengthBytes, sha256 };
}

function asDeltas(value: JsonValue): readonly SignedDelta[] | null {
  if (!isJsonArray(value) || value.length > deltaBasesMax) return null;
  const deltas = value.map(asDelta).filter((delta) => delta !== null);
  return deltas.length === value.length ? deltas : null;
}

function asDelta(value: JsonValue): SignedDelta | null {
  const file = asFile(value);
  const baseImageHash = isJsonObject(value) ? textAt(value, "base") : null;
  return file === null || !isSha256Hex(baseImageHash) ? null : { ...file, baseImageHash };
}
