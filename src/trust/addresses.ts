import { isOf } from "../image/text-parts.ts";
import type { Hashes } from "./metadata.ts";
import { accepted, refused, type Verdict } from "./refusal.ts";

/**
 * The file of a role's metadata, relative to the base of the metadata: `timestamp.json`, or with a
 * version `7.root.json` (clauses 5.3.3, 5.5.1, 5.6.1). A role may have any name: all but the
 * unreserved characters of a URL are escaped, so that it stays one part of a path.
 */
export function metadataAddress(roleName: string, version: number | null): string {
  return `${version === null ? "" : `${version}.`}${escapedName(roleName)}.json`;
}

export function escapedName(name: string): string {
  let escaped = "";
  for (const character of encodeURIComponent(name))
    escaped += isOf(character, "!'-*", 1)
      ? `%${character.charCodeAt(0).toString(16).toUpperCase()}`
      : character;
  return escaped;
}

/**
 * A target relative to the base of the targets (5.7.3): under consistent snapshots the hash goes
 * before the last part of the name. Names that leave the base, or that servers and clients would
 * read differently, are refused.
 */
export function targetAddress(
  name: string,
  hashes: Hashes,
  consistentSnapshot: boolean,
): Verdict<string> {
  const parts = name.split("/");
  const last = parts.pop() ?? "";
  const strange = [...parts, last].find((part) => part === "" || part === "." || part === "..");
  if (strange !== undefined || name.includes("\\") || name.includes("\0"))
    return refused("target-name", `"${name}" does not stay below the base of the targets`);
  const hash = hashes.get("sha256") ?? [...hashes.values()][0] ?? "";
  const file = consistentSnapshot ? `${hash}.${escapedName(last)}` : escapedName(last);
  return accepted([...parts.map(escapedName), file].join("/"));
}
