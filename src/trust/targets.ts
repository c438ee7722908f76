import { arrayAt, integerAt, member, objectAt, textAt, textsAt } from "./fields.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts";
import type { TrustLimits } from "./limits.ts";
import { type Common, type Hashes, parseCommon, parseHashes } from "./metadata.ts";
import { accepted, refused, type Verdict } from "./refusal.ts";
import { type Keyring, parseKeys, parseRole, type Role } from "./role.ts";
import type { TrustRules } from "./trust-rules.ts";

export interface TargetFile {
  readonly lengthBytes: number;
  readonly hashes: Hashes;
  /** Opaque to TUF; see release-target.ts. */
  readonly custom: JsonObject | null;
}

/** Which targets a delegated role may speak of. */
export type Authority =
  | { readonly kind: "paths"; readonly entries: readonly string[] }
  | { readonly kind: "hash-prefixes"; readonly entries: readonly string[] }
  /** Every target, each in one of 2^bitLength roles. */
  | { readonly kind: "bins"; readonly bitLength: number };

export interface Delegation {
  /** The name of the role; for bins, what their names begin with. */
  readonly name: string;
  readonly role: Role;
  readonly authority: Authority;
  readonly terminating: boolean;
}

export interface Targets extends Common {
  readonly targets: ReadonlyMap<string, TargetFile>;
  /** In order of appearance. */
  readonly delegations: readonly Delegation[];
}

/** Clause 4.5, top-level and delegated alike. */
export function parseTargets(signed: JsonObject, rules: TrustRules): Verdict<Targets> {
  const common = parseCommon(signed, "targets");
  if (!common.ok) return common;
  const targets = parseTargetFiles(objectAt(signed, "targets"), rules.limits);
  if (!targets.ok) return targets;
  const delegations = Object.hasOwn(signed, "delegations")
    ? parseDelegations(objectAt(signed, "delegations"), rules)
    : accepted([]);
  if (!delegations.ok) return delegations;
  return accepted({ ...common.value, targets: targets.value, delegations: delegations.value });
}

function parseTargetFiles(
  object: JsonObject | null,
  limits: TrustLimits,
): Verdict<ReadonlyMap<string, TargetFile>> {
  if (object === null) return refused("malformed-metadata", 'no object "targets"');
  const names = Object.keys(object);
  if (names.length > limits.targetsMax)
    return refused("too-many-entries", `${names.length} targets, at most ${limits.targetsMax}`);
  const files = new Map<string, TargetFile>();
  for (const name of names) {
    const file = parseTargetFile(object[name]);
    if (file === null) return refused("malformed-metadata", `the target ${name} is malformed`);
    files.set(name, file);
  }
  return accepted(files);
}

function parseTargetFile(value: JsonValue | undefined): TargetFile | null {
  if (!isJsonObject(value)) return null;
  const lengthBytes = integerAt(value, "length", 0);
  const hashes = parseHashes(objectAt(value, "hashes"));
  const custom = objectAt(value, "custom");
  if (lengthBytes === null || hashes === null) return null;
  if (custom === null && Object.hasOwn(value, "custom")) return null;
  return { lengthBytes, hashes, custom };
}

/** Names that the top level has already. */
const reservedNames: readonly string[] = ["root", "timestamp", "snapshot", "targets"];

function parseDelegations(
  object: JsonObject | null,
  rules: TrustRules,
): Verdict<readonly Delegation[]> {
  if (object === null) return refused("malformed-metadata", '"delegations" is no object');
  const keys = parseKeys(objectAt(object, "keys"), rules);
  if (!keys.ok) return keys;
  if (Object.hasOwn(object, "succinct_roles"))
    return parseSuccinctRoles(objectAt(object, "succinct_roles"), keys.value);
  const listed = arrayAt(object, "roles");
  if (listed === null) return refused("malformed-metadata", "delegations without roles");
  const { delegationsMax } = rules.limits;
  if (listed.length > delegationsMax)
    return refused("too-many-entries", `${listed.length} roles, at most ${delegationsMax}`);
  const delegations: Delegation[] = [];
  const names = new Set(reservedNames);
  for (const value of listed) {
    const delegation = parseDelegation(value, keys.value, rules.limits);
    if (!delegation.ok) return delegation;
    // 4.5: "The rolename MUST be unique in the delegations object".
    if (names.has(delegation.value.name))
      return refused("malformed-metadata", `the role ${delegation.value.name} twice`);
    names.add(delegation.value.name);
    delegations.push(delegation.value);
  }
  return accepted(delegations);
}

function parseDelegation(
  value: JsonValue,
  keys: Keyring,
  limits: TrustLimits,
): Verdict<Delegation> {
  if (!isJsonObject(value)) return refused("malformed-metadata", "a delegation is no object");
  const name = textAt(value, "name");
  if (name === null || name === "") return refused("malformed-metadata", "a role without a name");
  const role = parseRole(value, keys, name);
  if (!role.ok) return role;
  const terminating = member(value, "terminating") ?? false;
  if (typeof terminating !== "boolean")
    return refused("malformed-metadata", `terminating of ${name} is neither true nor false`);
  const authority = parseAuthority(value);
  // 4.5: "exactly one of them should be set".
  if (authority === null)
    return refused("malformed-metadata", `the role ${name} has no paths or path_hash_prefixes`);
  const count = authority.entries.length;
  if (count > limits.patternsMax)
    return refused(
      "too-many-entries",
      `${count} patterns of ${name}, at most ${limits.patternsMax}`,
    );
  return accepted({ name, role: role.value, authority, terminating });
}

function parseAuthority(value: JsonObject): Exclude<Authority, { kind: "bins" }> | null {
  const patterns = textsAt(value, "paths");
  const prefixes = textsAt(value, "path_hash_prefixes");
  const both = member(value, "paths") != null && member(value, "path_hash_prefixes") != null;
  if (both) return null;
  if (patterns !== null) return { kind: "paths", entries: patterns };
  return prefixes === null ? null : { kind: "hash-prefixes", entries: prefixes };
}

const bitLengthMax = 32;

/** TAP 15: 2^bit_length roles that share their keys; here one delegation, which names the role. */
function parseSuccinctRoles(
  object: JsonObject | null,
  keys: Keyring,
): Verdict<readonly Delegation[]> {
  const role = parseRole(object, keys, "succinct_roles");
  if (!role.ok) return role;
  const bitLength = object === null ? null : integerAt(object, "bit_length", 1);
  const name = object === null ? null : textAt(object, "name_prefix");
  if (bitLength === null || bitLength > bitLengthMax || name === null || name === "")
    return refused("malformed-metadata", "succinct_roles without bit_length and name_prefix");
  const authority = { kind: "bins", bitLength } as const;
  return accepted([{ name, role: role.value, authority, terminating: true }]);
}
