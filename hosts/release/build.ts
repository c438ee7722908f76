import { createHash } from "node:crypto";
import { isHardwareId } from "../../src/image/hardware.ts";
import { formatVersion, type ImageVersion } from "../../src/image/version.ts";
import { bundle, bundlerVersion } from "./bundle.ts";
import type {
  FirmwareVariant,
  ManifestArtifact,
  ManifestComponent,
  ReleaseManifest,
} from "./manifest.ts";
import { noWishes, type ReleaseWishes } from "./wishes.ts";

export interface BuildOptions {
  /** Absolute folder of the sources. */
  readonly root: string;
  /** The first source file, relative to the root: "src/main.ts". */
  readonly entry: string;
  readonly version: ImageVersion;
  /** One payload is made for each. */
  readonly hardware: readonly string[];
  /** release: minified. debug: readable, with the name of each source file. */
  readonly variant: FirmwareVariant;
  /** Kept in the manifest for whoever signs; they change no byte of a payload. */
  readonly release?: ReleaseWishes;
  /** What a device runs beside the application; it changes no byte of a payload. */
  readonly beside?: readonly ManifestComponent[];
  /** Binaries of another build instead of the bundle, by hardware. */
  readonly binaries?: ReadonlyMap<string, Uint8Array>;
}

export interface FirmwareBuild {
  readonly manifest: ReleaseManifest;
  /** In the order of the manifest. */
  readonly payloads: readonly Uint8Array[];
}

/**
 * `bundle-failed`: a source is missing or does not compile. `hardware-invalid`: no hardware id, or
 * one twice.
 */
export type BuildResult =
  | { readonly ok: true; readonly build: FirmwareBuild }
  | {
      readonly ok: false;
      readonly reason: "bundle-failed" | "hardware-invalid";
      readonly message: string;
    };

/** The payload of an image is a whole number of write blocks. */
const payloadAlignBytes = 4;
const buildIdBytes = 16;

/**
 * Builds the payload of an image for each hardware: the firmware as UTF-8 text of one script with a
 * line on top that names it, padded with newlines. The same sources and options give the same bytes
 * in any folder and on any machine.
 */
export async function buildFirmware(options: BuildOptions): Promise<BuildResult> {
  const problem = hardwareProblem(options.hardware);
  if (problem !== null) return { ok: false, reason: "hardware-invalid", message: problem };
  const { variant, release = noWishes, beside = [], binaries = new Map() } = options;
  const needsBundle = options.hardware.some((hardware) => !binaries.has(hardware));
  const bundled = needsBundle ? await bundleOf(options) : noBundle;
  if (!bundled.ok) return { ok: false, reason: "bundle-failed", message: bundled.message };
  const { sources, modules, text } = bundled.bundle;
  const tools: Record<string, string> = needsBundle ? { esbuild: bundlerVersion } : {};
  const entry = needsBundle ? options.entry : "";
  const version = formatVersion(options.version);
  const payloads: Uint8Array[] = [];
  const artifacts: ManifestArtifact[] = [];
  for (const hardware of options.hardware) {
    const binary = binaries.get(hardware);
    const made = binary === undefined ? { entry, tools, sources } : { binary: sha256(binary) };
    const inputs = JSON.stringify({ version, hardware, variant, ...made });
    const buildId = sha256(inputs).slice(0, 2 * buildIdBytes);
    const payload =
      binary ??
      encodePayload(
        `// Sluice firmware ${version} for ${hardware}, ${variant}, build ${buildId}\n${text}`,
      );
    const file = `sluice-${version}-${hardware}-${variant}.payload`;
    payloads.push(payload);
    artifacts.push({ hardware, file, bytes: payload.length, sha256: sha256(payload), buildId });
  }
  const components = [...artifacts.map(asComponent), ...beside];
  const made = { entry, artifacts, components, modules, sources, tools };
  const manifest = { version: options.version, variant, release, ...made };
  return { ok: true, build: { manifest, payloads } };
}

function bundleOf({ root, entry, variant }: BuildOptions) {
  return bundle({ root, entry, minify: variant === "release" });
}

/** The bundle of a release whose payloads are all of another build. */
const noBundle = { ok: true, bundle: { sources: [], modules: [], text: "" } } as const;

function asComponent({ hardware, file, bytes, sha256 }: ManifestArtifact): ManifestComponent {
  return { kind: "application", hardware, name: file, bytes, sha256 };
}

function hardwareProblem(hardware: readonly string[]): string | null {
  if (hardware.length === 0) return "no hardware is named; name one such as esp32c3-b";
  for (const id of hardware)
    if (!isHardwareId(id))
      return `"${id}" is no hardware id; it needs lower-case letters, digits and dots in groups joined by "-", such as esp32c3-b`;
  return new Set(hardware).size === hardware.length ? null : "a hardware is named twice";
}

function encodePayload(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  const padded = new Uint8Array(Math.ceil(bytes.length / payloadAlignBytes) * payloadAlignBytes);
  padded.fill(0x0a);
  padded.set(bytes);
  return padded;
}

function sha256(data: string | Uint8Array): string {
  return createHash("sha256").update(data).digest("hex");
}
