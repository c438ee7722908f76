import { fromHex } from "../image/hex.ts";
import { arrayAt, objectAt, textAt } from "./fields.ts";
import { isJsonObject, type JsonObject, type JsonValue, parseStrictJson } from "./json.ts";
import type { TrustLimits } from "./limits.ts";
import { accepted, type Refused, refused, type Verdict } from "./refusal.ts";
import type { Role } from "./role.ts";
import { SignedPayload } from "./trust-crypto.ts";
import type { TrustRules } from "./trust-rules.ts";

/** A file in the form of clause 4.2.1, of which nothing is trusted yet. */
export interface SignedDocument {
  /** The bytes as they came: what is stored. */
  readonly bytes: Uint8Array;
  readonly signatures: readonly { readonly keyId: string; readonly signature: Uint8Array }[];
  readonly signed: JsonObject;
}

export function parseSignedDocument(
  bytes: Uint8Array,
  limits: TrustLimits,
): Verdict<SignedDocument> {
  const json = parseStrictJson(bytes, limits);
  if (!json.ok) return json;
  const root = isJsonObject(json.value) ? json.value : null;
  const signed = root === null ? null : objectAt(root, "signed");
  const listed = root === null ? null : arrayAt(root, "signatures");
  if (signed === null || listed === null)
    return refused("malformed-metadata", 'no object with "signed" and "signatures"');
  if (listed.length > limits.signaturesMax)
    return refused(
      "too-many-entries",
      `${listed.length} signatures, at most ${limits.signaturesMax}`,
    );
  const signatures = listed.map(parseSignature);
  const read = signatures.filter((signature) => signature !== null);
  if (read.length !== signatures.length)
    return refused("malformed-metadata", "a signature without keyid and sig");
  const keyIds = new Set(read.map(({ keyId }) => keyId));
  // 4.2.1: "The keyid MUST be unique in the signatures array".
  if (keyIds.size !== read.length)
    return refused("duplicate-signature", "two signatures with the same keyid");
  return accepted({ bytes, signatures: read, signed });
}

/**
 * A signature that is no hex counts as one that does not verify; others may reach the threshold.
 */
function parseSignature(
  value: JsonValue,
): { readonly keyId: string; readonly signature: Uint8Array } | null {
  if (!isJsonObject(value)) return null;
  const keyId = textAt(value, "keyid");
  const sig = textAt(value, "sig");
  if (keyId === null || sig === null) return null;
  return { keyId, signature: fromHex(sig) ?? new Uint8Array(0) };
}

/**
 * Clauses 5.3.4, 5.4.2, 5.5.3 and 5.6.3: as many keys of the role as its threshold asks for have
 * signed. Each key counts once: ids are unique on both sides, and an id is the hash of its key.
 */
export function checkSignatures(
  document: SignedDocument,
  role: Role,
  rules: TrustRules,
): Refused | null {
  const remembered = rules.memory?.token(document.bytes, role, rules.crypto) ?? null;
  if (remembered !== null && rules.memory?.has(remembered)) return null;
  const payload = new SignedPayload(document.signed);
  const { signatures } = document;
  let valid = 0;
  // By index: a device has few slots of stack, and the verification below takes most of them.
  for (let index = 0; index < signatures.length && valid < role.threshold; index += 1) {
    const { keyId, signature } = signatures[index]!;
    const key = role.keyIds.includes(keyId) ? role.keys.get(keyId) : undefined;
    if (key !== undefined && rules.crypto.verify(key, payload, signature)) valid += 1;
  }
  if (valid >= role.threshold) {
    if (remembered !== null) rules.memory?.add(remembered);
    return null;
  }
  return refused(
    "too-few-signatures",
    `${valid} valid signatures of its keys, ${role.threshold} are needed`,
  );
}
