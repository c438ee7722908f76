/** A part of a firmware that somebody else makes: an npm package or a native library. */
export interface SoftwarePart {
  readonly kind: "npm" | "native";
  readonly name: string;
  readonly version: string;
  /** SPDX id or expression, or another name; null when it does not say. */
  readonly license: string | null;
  readonly purl: string | null;
  /** Subresource integrity of the npm archive (`sha512-...`), or null. */
  readonly integrity: string | null;
  /** Where it is: in the application, in the bootloader; empty for what only builds it. */
  readonly in: readonly string[];
  /** Names of other parts that it needs. */
  readonly needs: readonly string[];
}

export type PartsResult =
  | { readonly ok: true; readonly parts: readonly SoftwarePart[] }
  | { readonly ok: false; readonly reason: string };

const partsMax = 10_000;

/**
 * The npm packages that a firmware asks for by name, with all that they need, and those that build
 * it, as a package-lock.json names them (lockfileVersion 2 or 3). Modules that it does not name are
 * the board's.
 */
export function npmParts(
  lockText: string,
  wanted: { readonly modules: readonly string[]; readonly tools: readonly string[] },
): PartsResult {
  const packages = packagesOf(lockText);
  if (packages === null)
    return { ok: false, reason: 'is no package-lock.json with "packages"; run "npm install"' };
  const parts = new Map<string, SoftwarePart>();
  const visit = (name: string, place: readonly string[]): void => {
    const found = packages.get(name);
    if (found === undefined || parts.has(name) || parts.size >= partsMax) return;
    const needs = Object.keys(found.dependencies ?? {}).sort();
    parts.set(name, npmPart(name, found, place, needs));
    for (const other of needs) visit(other, place);
  };
  for (const module of [...wanted.modules].sort()) visit(packageOf(module), ["application"]);
  for (const tool of [...wanted.tools].sort()) visit(tool, []);
  return { ok: true, parts: [...parts.values()] };
}

/** Reads a list of native parts: `{"parts": [{name, version, license, purl?, in}]}`. */
export function nativeParts(text: string): PartsResult {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return { ok: false, reason: `is not JSON: ${(error as Error).message}` };
  }
  const list = isRecord(json) ? json["parts"] : undefined;
  if (!Array.isArray(list) || list.length > partsMax)
    return { ok: false, reason: 'has no list "parts"' };
  const parts: SoftwarePart[] = [];
  for (const [index, one] of list.entries()) {
    const part = isRecord(one) ? nativePart(one) : null;
    if (part === null)
      return {
        ok: false,
        reason: `has a part ${index + 1} without name, version, license and "in" (a list of places)`,
      };
    if (parts.some(({ name }) => name === part.name))
      return { ok: false, reason: `names the part ${part.name} twice` };
    parts.push(part);
  }
  return { ok: true, parts };
}

interface LockedPackage {
  readonly version?: string;
  readonly license?: string;
  readonly integrity?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

function npmPart(
  name: string,
  found: LockedPackage,
  place: readonly string[],
  needs: readonly string[],
): SoftwarePart {
  const { version = "0.0.0", license = null, integrity = null } = found;
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return { kind: "npm", name, version, license, purl, integrity, in: place, needs };
}

function nativePart(one: Record<string, unknown>): SoftwarePart | null {
  const { name, version, license, purl = null, in: place } = one;
  const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
  if (!isText(name) || !isText(version) || !isText(license)) return null;
  if ((purl !== null && !isText(purl)) || !Array.isArray(place) || !place.every(isText))
    return null;
  return { kind: "native", name, version, license, purl, integrity: null, in: place, needs: [] };
}

/** By name; of packages that are there twice, the one that the root gets. */
function packagesOf(lockText: string): Map<string, LockedPackage> | null {
  let json: unknown;
  try {
    json = JSON.parse(lockText);
  } catch {
    return null; // the caller tells the file
  }
  const packages = isRecord(json) ? json["packages"] : undefined;
  if (!isRecord(packages)) return null;
  const byName = new Map<string, LockedPackage>();
  for (const [path, found] of Object.entries(packages)) {
    const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1];
    if (name !== undefined && isRecord(found)) byName.set(name, found as LockedPackage);
  }
  return byName;
}

/** `@noble/curves/nist.js` is in `@noble/curves`. */
function packageOf(module: string): string {
  return module
    .split("/")
    .slice(0, module.startsWith("@") ? 2 : 1)
    .join("/");
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
