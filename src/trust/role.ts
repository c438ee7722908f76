import { toHex } from "../image/hex.ts";
import { writeCanonicalJson } from "./canonical-json.ts";
import { integerAt, objectAt, textAt, textsAt } from "./fields.ts";
import { isJsonObject, type JsonObject, type JsonValue } from "./json.ts";
import { accepted, refused, type Verdict } from "./refusal.ts";
import { type PublicKey, sha256Of, type TrustCrypto } from "./trust-crypto.ts";
import type { TrustRules } from "./trust-rules.ts";

/** By key id. */
export type Keyring = ReadonlyMap<string, PublicKey>;

/** Who may sign for a role, with the keys of the file that says so. */
export interface Role {
  readonly keyIds: readonly string[];
  readonly threshold: number;
  readonly keys: Keyring;
}

/** The `keys` of a root or of delegations; every id is recomputed (clause 4.3). */
export function parseKeys(keys: JsonObject | null, rules: TrustRules): Verdict<Keyring> {
  if (keys === null) return refused("malformed-metadata", 'no object "keys"');
  const ids = Object.keys(keys);
  const { keysMax } = rules.limits;
  if (ids.length > keysMax)
    return refused("too-many-entries", `${ids.length} keys, at most ${keysMax}`);
  const keyring = new Map<string, PublicKey>();
  for (const id of ids) {
    const json = keys[id];
    const key = parseKey(json);
    if (json === undefined || key === null)
      return refused("malformed-metadata", `the key ${id} has no keytype, scheme and keyval`);
    // 4.3: "Clients MUST calculate each KEYID to verify this is correct for the associated key."
    if (keyIdOf(json, rules.crypto) !== id)
      return refused("key-id-mismatch", `the key ${id} has another id`);
    keyring.set(id, key);
  }
  return accepted(keyring);
}

/** 4.2.1: the SHA-256 of the canonical form of the key, with the fields that nobody knows. */
export function keyIdOf(key: JsonValue, crypto: TrustCrypto): string {
  return toHex(sha256Of(crypto, (update) => writeCanonicalJson(key, update)));
}

export function parseRole(role: JsonObject | null, keys: Keyring, name: string): Verdict<Role> {
  const keyIds = role === null ? null : textsAt(role, "keyids");
  const threshold = role === null ? null : integerAt(role, "threshold", 1);
  // 4.3: "THRESHOLD must be a positive integer number of keys (>=1)".
  if (keyIds === null || threshold === null)
    return refused("malformed-metadata", `the role ${name} has no keyids and threshold`);
  if (new Set(keyIds).size !== keyIds.length)
    return refused("duplicate-key-id", `the role ${name} lists a key twice`);
  return accepted({ keyIds, threshold, keys });
}

function parseKey(value: JsonValue | undefined): PublicKey | null {
  if (!isJsonObject(value)) return null;
  const keyType = textAt(value, "keytype");
  const scheme = textAt(value, "scheme");
  const keyValue = objectAt(value, "keyval");
  const text = keyValue === null ? null : textAt(keyValue, "public");
  return keyType === null || scheme === null || text === null
    ? null
    : { keyType, scheme, public: text };
}
