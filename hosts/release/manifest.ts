import { isHardwareId } from "../../src/image/hardware.ts";
import { formatVersion, type ImageVersion, parseVersion } from "../../src/image/version.ts";
import { encodeWishes, parseWishes, type ReleaseWishes } from "./wishes.ts";

export const manifestFileName = "manifest.json";

export type FirmwareVariant = "release" | "debug";

/** What one build made: the payloads, what they were made of, and with what. */
export interface ReleaseManifest {
  readonly version: ImageVersion;
  readonly variant: FirmwareVariant;
  /** What its images are to say of the release. */
  readonly release: ReleaseWishes;
  /** The first source file, relative to the root of the sources. */
  readonly entry: string;
  readonly artifacts: readonly ManifestArtifact[];
  /**
   * Everything that a device of this release runs, by its hash: applications, bootloaders,
   * configurations.
   */
  readonly components: readonly ManifestComponent[];
  /** What the firmware asks of its board by name. */
  readonly modules: readonly string[];
  /** Every bundled file, sorted by path. */
  readonly sources: readonly ManifestSource[];
  readonly tools: Readonly<Record<string, string>>;
}

/** One payload, for one hardware. */
export interface ManifestArtifact {
  readonly hardware: string;
  /** Beside the manifest. */
  readonly file: string;
  readonly bytes: number;
  /** The SHA-256 of the payload, lower-case hex. */
  readonly sha256: string;
  /** 32 hex digits: the first 16 bytes of the SHA-256 over all inputs. */
  readonly buildId: string;
}

export const componentKinds = ["application", "bootloader", "configuration"] as const;

/**
 * A file of a release; only applications are beside the manifest, the others are built elsewhere.
 */
export interface ManifestComponent {
  readonly kind: (typeof componentKinds)[number];
  /** Null: for all hardware. */
  readonly hardware: string | null;
  /** The name of the component's file, without a folder. */
  readonly name: string;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
}

export interface ManifestSource {
  readonly path: string;
  readonly sha256: string;
}

export function encodeManifest(manifest: ReleaseManifest): string {
  const version = formatVersion(manifest.version);
  const release = encodeWishes(manifest.release);
  return `${JSON.stringify({ ...manifest, version, release }, null, 2)}\n`;
}

/** Reads what `encodeManifest` wrote; answers what is wrong with any other text. */
export function parseManifest(
  text: string,
): { ok: true; manifest: ReleaseManifest } | { ok: false; reason: string } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { ok: false, reason: `is not JSON: ${error instanceof Error ? error.message : error}` };
  }
  if (!isRecord(json)) return { ok: false, reason: "is not a JSON object" };
  const version = typeof json["version"] === "string" ? parseVersion(json["version"]) : null;
  if (version === null) return { ok: false, reason: 'has no "version" like 1.2.3' };
  const { variant, entry, artifacts, modules, sources, tools, components = [] } = json;
  if (variant !== "release" && variant !== "debug")
    return { ok: false, reason: 'has no "variant" release or debug' };
  if (!isListOf(artifacts, isArtifact) || artifacts.length === 0)
    return { ok: false, reason: 'has no "artifacts" with hardware, file, bytes, sha256, buildId' };
  if (typeof entry !== "string" || !isListOf(modules, isText) || !isListOf(sources, isSource))
    return { ok: false, reason: 'has no "entry", "modules" and "sources"' };
  if (!isRecord(tools) || !Object.values(tools).every(isText))
    return { ok: false, reason: 'has no "tools"' };
  if (!isListOf(components, isComponent))
    return { ok: false, reason: 'has "components" without kind, hardware, name, bytes, sha256' };
  const made = tools as Record<string, string>;
  const release = parseWishes(json["release"]);
  if (release === null) return { ok: false, reason: 'has a "release" that cannot be read' };
  return {
    ok: true,
    manifest: {
      ...{ version, variant, release, entry, artifacts, components, modules, sources },
      tools: made,
    },
  };
}

function isArtifact(value: unknown): value is ManifestArtifact {
  return (
    isRecord(value) &&
    isText(value["hardware"]) &&
    isHardwareId(value["hardware"]) &&
    isText(value["file"]) &&
    /^[^/\\]+$/.test(value["file"]) &&
    Number.isSafeInteger(value["bytes"]) &&
    isText(value["sha256"]) &&
    /^[0-9a-f]{64}$/.test(value["sha256"]) &&
    isText(value["buildId"]) &&
    /^[0-9a-f]{32}$/.test(value["buildId"])
  );
}

function isComponent(value: unknown): value is ManifestComponent {
  if (!isRecord(value)) return false;
  const { kind, hardware, name, bytes, sha256 } = value;
  return (
    componentKinds.some((one) => one === kind) &&
    (hardware === null || (isText(hardware) && isHardwareId(hardware))) &&
    isText(name) &&
    Number.isSafeInteger(bytes) &&
    isText(sha256) &&
    /^[0-9a-f]{64}$/.test(sha256)
  );
}

function isSource(value: unknown): value is ManifestSource {
  return isRecord(value) && isText(value["path"]) && isText(value["sha256"]);
}

function isListOf<T>(value: unknown, is: (item: unknown) => item is T): value is T[] {
  return Array.isArray(value) && value.every(is);
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
