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
 * `malformed`: a line is no entry. `incomplete`: the last line is what a power cut leaves of one.
 * `chain-broken`: a line was changed, removed or inserted before this one. `signature-invalid`: the
 * line is not signed by the key that it names. `key-unknown`: by a key that is none of the known
 * ones.
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
      /** The SHA-256 of every line, in order. */
      readonly hashes: readonly string[];
    }
  | { readonly ok: false; readonly reason: AuditRefusal; readonly line: number };

/** Checks a log line by line, in order. `knownKeyIds` are those of the keys whose entries count. */
export class AuditVerifier {
  readonly #knownKeyIds: ReadonlySet<string>;
  #count = 0;
  #headHash = genesisHash;

  constructor(knownKeyIds: ReadonlySet<string>) {
    this.#knownKeyIds = knownKeyIds;
  }

  get count(): number {
    return this.#count;
  }

  /** The hash of the last line taken. */
  get headHash(): string {
    return this.#headHash;
  }

  take(
    line: string,
  ):
    | { readonly ok: true; readonly entry: AuditEntry; readonly hash: string }
    | { readonly ok: false; readonly reason: AuditRefusal } {
    const entry = parseEntry(line);
    if (entry === null) return { ok: false, reason: "malformed" };
    if (entry.sequence !== this.#count + 1 || entry.previous !== this.#headHash)
      return { ok: false, reason: "chain-broken" };
    if (!isSigned(entry)) return { ok: false, reason: "signature-invalid" };
    if (!this.#knownKeyIds.has(entry.keyId)) return { ok: false, reason: "key-unknown" };
    this.#count += 1;
    this.#headHash = sha256(line).toString("hex");
    return { ok: true, entry, hash: this.#headHash };
  }
}

/** Checks a whole log that is in memory. */
export function verifyAuditLog(text: string, knownKeyIds: ReadonlySet<string>): AuditVerdict {
  const lines = text.split("\n");
  const rest = lines.pop() ?? "";
  const verifier = new AuditVerifier(knownKeyIds);
  const entries: AuditEntry[] = [];
  const hashes: string[] = [];
  for (const [index, line] of lines.entries()) {
    const taken = verifier.take(line);
    if (!taken.ok) return { ok: false, reason: taken.reason, line: index + 1 };
    entries.push(taken.entry);
    hashes.push(taken.hash);
  }
  if (rest !== "") return { ok: false, reason: refusalOfRest(rest), line: lines.length + 1 };
  return { ok: true, entries, hashes, headHash: verifier.headHash };
}

/** Why a line without its line feed is refused. */
export function refusalOfRest(rest: string): "incomplete" | "malformed" {
  return isCutEntry(rest) ? "incomplete" : "malformed";
}

/** The entry in a line, signed by the key that it names, whatever stands before it; or null. */
export function readAuditEntry(line: string): AuditEntry | null {
  const entry = parseEntry(line);
  return entry !== null && isSigned(entry) ? entry : null;
}

/** What every entry begins with, in the canonical form. */
const entryStart = '{"at":"';

/**
 * Is this, which no line feed ends, what a power cut leaves of an entry? That is its beginning,
 * with zeros behind where the file system kept the new length, but not all of the bytes. Anything
 * else is somebody's.
 */
export function isCutEntry(rest: string): boolean {
  const zeros = rest.indexOf("\0");
  const written = zeros < 0 ? rest : rest.slice(0, zeros);
  for (let at = written.length; at < rest.length; at += 1) if (rest[at] !== "\0") return false;
  return written.startsWith(entryStart) || entryStart.startsWith(written);
}

function isSigned(entry: AuditEntry): boolean {
  const { signature, ...signed } = entry;
  const publicKey = Buffer.from(entry.publicKey, "base64");
  if (publicKey.length !== 65) return false;
  const bytes = Buffer.from(signature, "base64");
  if (!isSignatureBy(publicKey, entryDigest(signed), bytes)) return false;
  return tufKeyId(publicKey) === entry.keyId;
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
