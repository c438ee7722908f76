import { formatVersion } from "../../src/image/version.ts";
import type { ManifestComponent, ReleaseManifest } from "./manifest.ts";
import { encodeWishes } from "./wishes.ts";

/** What one build of a release holds, as `release build` leaves it. */
export interface BuiltRelease {
  readonly manifest: ReleaseManifest;
  /** The parts in its SBOM; null when there is none beside the manifest. */
  readonly parts: readonly PartFacts[] | null;
}

export interface PartFacts {
  readonly name: string;
  readonly version: string;
  readonly license: string;
}

/** One difference; null where the one or the other has nothing. */
export interface Difference {
  readonly name: string;
  readonly before: string | null;
  readonly after: string | null;
}

export interface ReleaseDiff {
  /** Version, variant, and what the release says of itself. */
  readonly release: readonly Difference[];
  /** Applications, bootloaders and configurations whose bytes differ. */
  readonly components: readonly (Difference & {
    /** After minus before, or null when one of them is absent. */
    readonly bytesMore: number | null;
  })[];
  readonly sources: readonly Difference[];
  /** What the firmware asks of its board. */
  readonly modules: readonly Difference[];
  readonly tools: readonly Difference[];
  /** Versions of npm and native parts. */
  readonly parts: readonly Difference[];
  /** Parts under other licences than before, new ones included. */
  readonly licenses: readonly Difference[];
}

/** What changed from one release to another. Equal releases have nothing in any list. */
export function diffReleases(before: BuiltRelease, after: BuiltRelease): ReleaseDiff {
  const [a, b] = [before.manifest, after.manifest];
  const [partsA, partsB] = [before.parts ?? [], after.parts ?? []];
  return {
    release: differences(releaseFacts(a), releaseFacts(b)),
    components: componentDifferences(a.components, b.components),
    sources: differences(
      mapOf(
        a.sources,
        ({ path }) => path,
        ({ sha256 }) => sha256,
      ),
      mapOf(
        b.sources,
        ({ path }) => path,
        ({ sha256 }) => sha256,
      ),
    ),
    modules: differences(presence(a.modules), presence(b.modules)),
    tools: differences(new Map(Object.entries(a.tools)), new Map(Object.entries(b.tools))),
    parts: differences(
      mapOf(
        partsA,
        ({ name }) => name,
        ({ version }) => version,
      ),
      mapOf(
        partsB,
        ({ name }) => name,
        ({ version }) => version,
      ),
    ),
    licenses: differences(
      mapOf(
        partsA,
        ({ name }) => name,
        ({ license }) => license,
      ),
      mapOf(
        partsB,
        ({ name }) => name,
        ({ license }) => license,
      ),
    ),
  };
}

export function isSame(diff: ReleaseDiff): boolean {
  return Object.values(diff).every((list: readonly unknown[]) => list.length === 0);
}

/** One line per difference, under a title for each kind; empty for equal releases. */
export function describeDiff(diff: ReleaseDiff): string {
  const titles: ReadonlyArray<readonly [string, readonly Difference[]]> = [
    ["release", diff.release],
    ["components", diff.components],
    ["parts", diff.parts],
    ["licences", diff.licenses],
    ["board modules", diff.modules],
    ["tools", diff.tools],
    ["sources", diff.sources.map(shortHashes)],
  ];
  const lines: string[] = [];
  for (const [title, list] of titles) {
    if (list.length === 0) continue;
    lines.push(title, ...list.map((one) => `  ${lineOf(one)}`));
  }
  return lines.join("\n");
}

function lineOf(difference: Difference & { readonly bytesMore?: number | null }): string {
  const { name, before, after, bytesMore } = difference;
  const size =
    typeof bytesMore === "number" ? ` (${bytesMore < 0 ? "" : "+"}${bytesMore} bytes)` : "";
  if (before === null) return `+ ${name}: ${after}${size}`;
  if (after === null) return `- ${name}: ${before}${size}`;
  return `  ${name}: ${before} -> ${after}${size}`;
}

function shortHashes({ name, before, after }: Difference): Difference {
  const short = (hash: string | null): string | null => hash?.slice(0, 12) ?? null;
  return { name, before: short(before), after: short(after) };
}

function releaseFacts(manifest: ReleaseManifest): Map<string, string> {
  const { version, variant, entry, release } = manifest;
  const wishes = Object.entries(encodeWishes(release) ?? {});
  return new Map([
    ["version", formatVersion(version)],
    ["variant", variant],
    ["entry", entry],
    ...wishes.map(([name, value]): [string, string] => [name, JSON.stringify(value)]),
  ]);
}

/** By kind and hardware: the name of a payload has the version in it and always differs. */
function componentDifferences(
  before: readonly ManifestComponent[],
  after: readonly ManifestComponent[],
): ReleaseDiff["components"] {
  const keyOf = ({ kind, hardware, name }: ManifestComponent): string =>
    kind === "configuration" ? `${kind} ${name}` : `${kind} ${hardware ?? "all"}`;
  const [a, b] = [before, after].map((list) => mapOf(list, keyOf, (one) => one));
  return differences(
    mapOf(before, keyOf, ({ sha256 }) => sha256),
    mapOf(after, keyOf, ({ sha256 }) => sha256),
  ).map((difference) => {
    const [was, is] = [a?.get(difference.name), b?.get(difference.name)];
    const bytesMore = was === undefined || is === undefined ? null : is.bytes - was.bytes;
    return { ...shortHashes(difference), bytesMore };
  });
}

function differences(
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
): Difference[] {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  return names
    .map((name) => ({ name, before: before.get(name) ?? null, after: after.get(name) ?? null }))
    .filter((one) => one.before !== one.after);
}

function presence(names: readonly string[]): Map<string, string> {
  return mapOf(
    names,
    (name) => name,
    () => "used",
  );
}

function mapOf<T, V>(
  list: readonly T[],
  keyOf: (one: T) => string,
  readValue: (one: T) => V,
): Map<string, V> {
  return new Map(list.map((one) => [keyOf(one), readValue(one)]));
}
