import { digits, isOf, lowerHex } from "../image/text-parts.ts";
import { dateTimeAt, integerAt, objectAt, textAt } from "./fields.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts";
import type { TrustLimits } from "./limits.ts";
import { accepted, refused, type Verdict } from "./refusal.ts";

/** What every role's metadata begins with (clause 4.3). */
export interface Common {
  readonly version: number;
  readonly expiresUnixMs: number;
}

/** What one file says of another (clause 4.4, METAFILES). */
export interface MetaFile {
  readonly version: number;
  readonly lengthBytes: number | null;
  readonly hashes: Hashes | null;
}

/** Lower-case hex by algorithm; at least one. */
export type Hashes = ReadonlyMap<string, string>;

const majorSupported = "1";
const hashesMax = 8;

export function parseCommon(signed: JsonObject, type: string): Verdict<Common> {
  const found = textAt(signed, "_type");
  // 4.2.1: "_type" says which role this is, whatever the name of the file.
  if (found !== type) return refused("wrong-type", `"${found}" instead of "${type}"`);
  const specVersion = textAt(signed, "spec_version");
  const major = specVersion === null ? null : majorOf(specVersion);
  if (major === null) return refused("malformed-metadata", "no spec_version such as 1.0.34");
  // 4.3: "clients MUST verify that spec_version matches the expected version number".
  if (major !== majorSupported) return refused("spec-version", `${specVersion} instead of 1.x`);
  const version = integerAt(signed, "version", 1);
  if (version === null) return refused("malformed-metadata", "no version greater than 0");
  const expiresUnixMs = dateTimeAt(signed, "expires");
  if (expiresUnixMs === null)
    return refused("malformed-metadata", "no expires in the form YYYY-MM-DDTHH:MM:SSZ");
  return accepted({ version, expiresUnixMs });
}

function parseMetaFile(value: JsonValue | undefined): MetaFile | null {
  if (!isJsonObject(value)) return null;
  const version = integerAt(value, "version", 1);
  const lengthBytes = integerAt(value, "length", 1);
  const hashes = parseHashes(objectAt(value, "hashes"));
  if (version === null) return null;
  if (lengthBytes === null && Object.hasOwn(value, "length")) return null;
  if (hashes === null && Object.hasOwn(value, "hashes")) return null;
  return { version, lengthBytes, hashes };
}

/** The major number of `1.0` and `1.0.34`; null for what is no version. */
function majorOf(specVersion: string): string | null {
  const numbers = specVersion.split(".");
  const isVersion =
    (numbers.length === 2 || numbers.length === 3) &&
    numbers.every((number) => isOf(number, digits, 1, specVersion.length));
  return isVersion ? (numbers[0] ?? null) : null;
}

function isHexOfBytes(text: string): boolean {
  return text.length % 2 === 0 && isOf(text, lowerHex, 2, text.length);
}

export function parseHashes(object: JsonObject | null): Hashes | null {
  if (object === null) return null;
  const hashes = new Map<string, string>();
  for (const [algorithm, value] of Object.entries(object)) {
    if (typeof value !== "string" || !isHexOfBytes(value)) return null;
    hashes.set(algorithm, value);
  }
  return hashes.size === 0 || hashes.size > hashesMax ? null : hashes;
}

export interface Timestamp extends Common {
  readonly snapshot: MetaFile;
}

/** Clause 4.6: of all that it lists, only the snapshot is looked at. */
export function parseTimestamp(signed: JsonObject): Verdict<Timestamp> {
  const common = parseCommon(signed, "timestamp");
  if (!common.ok) return common;
  const meta = objectAt(signed, "meta");
  const snapshot = meta === null ? null : parseMetaFile(meta["snapshot.json"]);
  if (snapshot === null) return refused("malformed-metadata", "no meta of snapshot.json");
  return accepted({ ...common.value, snapshot });
}

export interface Snapshot extends Common {
  /** By file name: `targets.json`, `esp32c3-b.json`. */
  readonly files: ReadonlyMap<string, MetaFile>;
}

/** Clause 4.4. */
export function parseSnapshot(signed: JsonObject, limits: TrustLimits): Verdict<Snapshot> {
  const common = parseCommon(signed, "snapshot");
  if (!common.ok) return common;
  const meta = objectAt(signed, "meta");
  if (meta === null) return refused("malformed-metadata", 'no object "meta"');
  const names = Object.keys(meta);
  if (names.length > limits.metaFilesMax)
    return refused("too-many-entries", `${names.length} files, at most ${limits.metaFilesMax}`);
  const files = new Map<string, MetaFile>();
  for (const name of names) {
    const file = parseMetaFile(meta[name]);
    if (file === null) return refused("malformed-metadata", `the meta of ${name} is malformed`);
    files.set(name, file);
  }
  return accepted({ ...common.value, files });
}
