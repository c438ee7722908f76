import { canonicalize } from "@tufjs/canonical-json";
import { isSignatureBy, sha256, tufKeyId } from "./signer.ts";

/** One use of a key. */
export interface AuditUse {
  /** "image 1.2.3 for esp32c3-b", "root version 2". */
  readonly purpose: string;
  /** What was signed: SHA-256 in hex. */
  readonly digest: string;
}

/** One line of an audit log. */
export interface AuditEntry {
  /** 1 for the first. */
  readonly sequence: number;
  /** ISO 8601 by the clock of the machine that signed. */
  readonly at: string;
  /** SHA-256 of the line before it in hex; 64 zeros in the first. */
  readonly previous: string;
  readonly keyId: string;
  /** The uncompressed point in base64. */
  readonly publicKey: string;
  readonly uses: readonly AuditUse[];
  /** By that key over `entryDigest`, DER in base64. */
  readonly signature: string;
}

export const genesisHash = "0".repeat(64);

/** What an entry's signature covers; its `_type` keeps it apart from TUF metadata. */
export function entryDigest(entry: Omit<AuditEntry, "signature">): Buffer {
  return sha256(canonicalize({ _type: "sluice-audit-entry", ...entry }));
}

/**
 * `malformed`: a line is no entry. `incomplete`: the last line is cut off. `chain-broken`: a line
 * was changed, removed or inserted before this one. `signature-invalid`: the line is not signed by
 * the key that it names. `key-unknown`: by a key that is none of the known ones.
 */
export type AuditRefusal =
  | "malformed"
  | "incomplete"
  | "chain-broken"
  | "signature-invalid"
  | "key-unknown";

export type AuditVerdict =
  | {
      readonly ok: true;
      readonly entries: readonly AuditEntry[];
      /**
       * SHA-256 of the last line: written down elsewhere, it proves later that nothing was cut off.
       */
      readonly headHash: string;
      /** Of every line, in order. */
      readonly hashes: readonly string[];
    }
  | { readonly ok: false; readonly reason: AuditRefusal; readonly line: number };

/** Checks a whole log. `knownKeyIds` are those whose entries count. */
export function verifyAuditLog(text: string, knownKeyIds: ReadonlySet<string>): AuditVerdict {
  const lines = text.split("\n");
  const rest = lines.pop() ?? "";
  const entries: AuditEntry[] = [];
  const hashes: string[] = [];
  for (const [index, line] of lines.entries()) {
    const refuse = (reason: AuditRefusal) => ({ ok: false, reason, line: index + 1 }) as const;
    const entry = parseEntry(line);
    if (entry === null) return refuse("malformed");
    const previous = hashes.at(-1) ?? genesisHash;
    if (entry.sequence !== index + 1 || entry.previous !== previous) return refuse("chain-broken");
    const { signature, ...signed } = entry;
    const publicKey = Buffer.from(entry.publicKey, "base64");
    const bytes = Buffer.from(signature, "base64");
    if (publicKey.length !== 65 || !isSignatureBy(publicKey, entryDigest(signed), bytes))
      return refuse("signature-invalid");
    if (tufKeyId(publicKey) !== entry.keyId) return refuse("signature-invalid");
    if (!knownKeyIds.has(entry.keyId)) return refuse("key-unknown");
    entries.push(entry);
    hashes.push(sha256(line).toString("hex"));
  }
  if (rest !== "") return { ok: false, reason: "incomplete", line: lines.length + 1 };
  return { ok: true, entries, hashes, headHash: hashes.at(-1) ?? genesisHash };
}

function parseEntry(line: string): AuditEntry | null {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return null; // the caller tells the line
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) return null;
  const { sequence, at, previous, keyId, publicKey, uses, signature, ...more } = json as Record<
    string,
    unknown
  >;
  const isText = (value: unknown): value is string => typeof value === "string";
  if (Object.keys(more).length > 0 || !Number.isSafeInteger(sequence)) return null;
  if (![at, previous, keyId, publicKey, signature].every(isText)) return null;
  if (!Array.isArray(uses) || uses.length === 0) return null;
  if (!uses.every((use) => isText(use?.purpose) && isText(use?.digest))) return null;
  // Another spelling of the same entry would have another hash than the one that was signed for.
  return canonicalize(json) === line ? (json as unknown as AuditEntry) : null;
}
