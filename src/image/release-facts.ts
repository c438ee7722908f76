import { isHardwareId } from "./hardware.ts";
import { formatVersion, type ImageVersion, parseVersion } from "./version.ts";

/**
 * What a release says of itself beyond the other TLVs, in protected TLV 0x00A3: signed with the
 * image. Compact JSON of at most 512 bytes; a member that is missing has the value of
 * `unsignedReleaseFacts`.
 *
 *   { "hardware": ["esp32c3-a", "esp32c3-b"], "breaking": true, "downgrade": true,
 *     "bootloaderMin": "2.1.0", "schemas": [3, 5], "steppingStone": "1.4.0",
 *     "windowOverride": true }
 */
export interface SignedReleaseFacts {
  /**
   * The hardware ids it may be installed on, the one in the image among them; null: that one only.
   */
  readonly hardware: readonly string[] | null;
  /** A minor version that is to be treated as a major one. */
  readonly breaking: boolean;
  /** The release may replace a newer version of its own patch series (same major and minor). */
  readonly downgradeAllowed: boolean;
  readonly bootloaderVersionMin: ImageVersion | null;
  /** Schema versions of the configuration that it can read, both ends included. */
  readonly configurationSchemas: { readonly min: number; readonly max: number } | null;
  /** The version that has to run, or a newer one, before this release may come. */
  readonly steppingStone: ImageVersion | null;
  /** A security fix that a forced deployment may install outside the maintenance windows. */
  readonly windowOverride: boolean;
}

/**
 * What a release without the TLV says: nothing, so that the rules that come from it change nothing.
 */
export const unsignedReleaseFacts: SignedReleaseFacts = {
  hardware: null,
  breaking: false,
  downgradeAllowed: false,
  bootloaderVersionMin: null,
  configurationSchemas: null,
  steppingStone: null,
  windowOverride: false,
};

/** Longest value of the TLV. */
export const releaseFactsBytesMax = 512;
/** The highest schema number that configuration documents have as well. */
export const configurationSchemaMax = 65_535;

/**
 * `release-facts-too-large`: more than 512 bytes. `release-facts-malformed`: no JSON object, or one
 * that nests deeper than 4. `release-facts-value`: a member that is known has a value that it
 * cannot have.
 */
export type ReleaseFactsRefusal =
  | "release-facts-too-large"
  | "release-facts-malformed"
  | "release-facts-value";

export type DecodedReleaseFacts =
  | { readonly ok: true; readonly facts: SignedReleaseFacts }
  | { readonly ok: false; readonly reason: ReleaseFactsRefusal };

/** Reads the value of TLV 0x00A3. Members that it does not know are ignored. */
export function decodeReleaseFacts(value: Uint8Array): DecodedReleaseFacts {
  if (value.length > releaseFactsBytesMax) return { ok: false, reason: "release-facts-too-large" };
  const root = parseObject(value);
  if (root === null) return { ok: false, reason: "release-facts-malformed" };
  const at = (name: string): unknown => (Object.hasOwn(root, name) ? root[name] : undefined);
  const hardware = optional(at("hardware"), readHardware);
  const breaking = readFlag(at("breaking"));
  const downgradeAllowed = readFlag(at("downgrade"));
  const bootloaderVersionMin = optional(at("bootloaderMin"), readVersion);
  const configurationSchemas = optional(at("schemas"), readSchemas);
  const steppingStone = optional(at("steppingStone"), readVersion);
  const windowOverride = readFlag(at("windowOverride"));
  if (
    hardware === undefined ||
    breaking === undefined ||
    downgradeAllowed === undefined ||
    bootloaderVersionMin === undefined ||
    configurationSchemas === undefined ||
    steppingStone === undefined ||
    windowOverride === undefined
  )
    return { ok: false, reason: "release-facts-value" };
  const required = { bootloaderVersionMin, configurationSchemas, steppingStone };
  const facts = { hardware, breaking, downgradeAllowed, ...required, windowOverride };
  return { ok: true, facts };
}

/**
 * The value of TLV 0x00A3, or null for facts that say nothing: such an image has no such TLV.
 * Throws RangeError on facts that `decodeReleaseFacts` would refuse.
 */
export function encodeReleaseFacts(facts: SignedReleaseFacts): Uint8Array | null {
  const { hardware, bootloaderVersionMin, configurationSchemas: schemas, steppingStone } = facts;
  const members = {
    ...(hardware === null ? {} : { hardware }),
    ...(facts.breaking ? { breaking: true } : {}),
    ...(facts.downgradeAllowed ? { downgrade: true } : {}),
    ...(bootloaderVersionMin === null
      ? {}
      : { bootloaderMin: formatVersion(bootloaderVersionMin) }),
    ...(schemas === null ? {} : { schemas: [schemas.min, schemas.max] }),
    ...(steppingStone === null ? {} : { steppingStone: formatVersion(steppingStone) }),
    ...(facts.windowOverride ? { windowOverride: true } : {}),
  };
  if (Object.keys(members).length === 0) return null;
  const value = new TextEncoder().encode(JSON.stringify(members));
  const decoded = decodeReleaseFacts(value);
  if (!decoded.ok)
    throw new RangeError(`these facts of a release cannot be signed: ${decoded.reason}`);
  return value;
}

const depthMax = 4;

function parseObject(value: Uint8Array): Readonly<Record<string, unknown>> | null {
  if (!isShallow(value)) return null;
  try {
    const parsed: unknown = JSON.parse(new TextDecoder().decode(value));
    const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
    return isObject ? (parsed as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null; // malformed text is the one thing that JSON.parse throws for
  }
}

/**
 * Bounds the nesting, so that no text can exhaust the parser's stack; brackets inside strings count
 * as well.
 */
function isShallow(value: Uint8Array): boolean {
  let depth = 0;
  for (const byte of value) {
    if (byte === 0x5b || byte === 0x7b) depth += 1;
    if (byte === 0x5d || byte === 0x7d) depth -= 1;
    if (depth > depthMax) return false;
  }
  return true;
}

/** Null for a member that is missing or null, undefined for one that cannot be read. */
function optional<T>(value: unknown, read: (value: unknown) => T | null): T | null | undefined {
  return value === undefined || value === null ? null : (read(value) ?? undefined);
}

function readFlag(value: unknown): boolean | undefined {
  if (value === undefined) return false;
  return typeof value === "boolean" ? value : undefined;
}

function readHardware(value: unknown): readonly string[] | null {
  if (!Array.isArray(value) || value.length === 0) return null;
  // Bounded by the 512 bytes of the value.
  const ids = value.filter((id): id is string => typeof id === "string" && isHardwareId(id));
  return ids.length === value.length && new Set(ids).size === ids.length ? ids : null;
}

function readVersion(value: unknown): ImageVersion | null {
  return typeof value === "string" ? parseVersion(value) : null;
}

function readSchemas(value: unknown): { readonly min: number; readonly max: number } | null {
  if (!Array.isArray(value) || value.length !== 2) return null;
  const [min, max] = value as readonly unknown[];
  if (!isSchema(min) || !isSchema(max) || min > max) return null;
  return { min, max };
}

function isSchema(value: unknown): value is number {
  return (
    typeof value === "number" &&
    Number.isInteger(value) &&
    value >= 0 &&
    value <= configurationSchemaMax
  );
}
