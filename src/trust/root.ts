import { directorRoleMember } from "./director-document.ts";
import { member, objectAt } from "./fields.ts";
import type { JsonObject } from "./json.ts";
import { type Common, parseCommon } from "./metadata.ts";
import { accepted, refused, type Verdict } from "./refusal.ts";
import { parseKeys, parseRole, type Role } from "./role.ts";
import type { TrustRules } from "./trust-rules.ts";

export interface Root extends Common {
  readonly consistentSnapshot: boolean;
  readonly root: Role;
  readonly timestamp: Role;
  readonly snapshot: Role;
  readonly targets: Role;
  /** Null in a repository that is not ours. */
  readonly director: Role | null;
}

/** Clause 4.3. */
export function parseRoot(signed: JsonObject, rules: TrustRules): Verdict<Root> {
  const common = parseCommon(signed, "root");
  if (!common.ok) return common;
  const keys = parseKeys(objectAt(signed, "keys"), rules);
  if (!keys.ok) return keys;
  const roles = objectAt(signed, "roles");
  if (roles === null) return refused("malformed-metadata", 'no object "roles"');
  // 4.3: "A role for each of root, snapshot, timestamp, and targets MUST be specified".
  const root = parseRole(objectAt(roles, "root"), keys.value, "root");
  if (!root.ok) return root;
  const timestamp = parseRole(objectAt(roles, "timestamp"), keys.value, "timestamp");
  if (!timestamp.ok) return timestamp;
  const snapshot = parseRole(objectAt(roles, "snapshot"), keys.value, "snapshot");
  if (!snapshot.ok) return snapshot;
  const targets = parseRole(objectAt(roles, "targets"), keys.value, "targets");
  if (!targets.ok) return targets;
  const named = Object.hasOwn(signed, directorRoleMember);
  const director = named
    ? parseRole(objectAt(signed, directorRoleMember), keys.value, "director")
    : accepted(null);
  if (!director.ok) return director;
  const consistent = member(signed, "consistent_snapshot") ?? false;
  if (typeof consistent !== "boolean")
    return refused("malformed-metadata", "consistent_snapshot is neither true nor false");
  return accepted({
    ...common.value,
    consistentSnapshot: consistent,
    root: root.value,
    timestamp: timestamp.value,
    snapshot: snapshot.value,
    targets: targets.value,
    director: director.value,
  });
}

/** Whether a key that `before` names for the role is not there any more in `after`. */
export function lostKey(before: Role, after: Role): boolean {
  return before.keyIds.some((keyId) => !after.keyIds.includes(keyId));
}
