import { canonicalize } from "@tufjs/canonical-json";
import {
  Metadata,
  MetadataKind,
  type Root,
  type Snapshot,
  type Targets,
  type Timestamp,
} from "@tufjs/models";
import { directorRoleMember } from "../../../src/trust/director-document.ts";
import { formatDateTime, isSha256Hex, parseDateTime } from "../../../src/trust/fields.ts";
import { isDeviceTargetName } from "../../../src/trust/target-names.ts";
import { type Signer, sha256, type TufKey } from "../keys/signer.ts";

/**
 * Beside `expires` in every signed part: when it was signed. Clients pass it over; it tells how
 * much of a document's life is left.
 */
const issuedMember = "x-sluice-issued";

export interface RoleJson {
  readonly keyids: readonly string[];
  readonly threshold: number;
}

interface SignedJson {
  readonly spec_version: string;
  readonly version: number;
  readonly expires: string;
  readonly [issuedMember]: string;
}

export const topLevelRoles = ["root", "targets", "snapshot", "timestamp"] as const;

/** Clause 4.3, and the director's role beside the four. */
export interface RootJson extends SignedJson {
  readonly _type: "root";
  readonly consistent_snapshot: true;
  readonly keys: Readonly<Record<string, TufKey>>;
  readonly roles: Readonly<Record<(typeof topLevelRoles)[number], RoleJson>>;
  readonly [directorRoleMember]: RoleJson;
}

export interface TargetJson {
  readonly length: number;
  readonly hashes: { readonly sha256: string };
  readonly custom?: object;
}

export interface DelegatedRoleJson extends RoleJson {
  readonly name: string;
  readonly paths: readonly string[];
  readonly terminating: boolean;
}

/** Clause 4.5. */
export interface TargetsJson extends SignedJson {
  readonly _type: "targets";
  readonly targets: Readonly<Record<string, TargetJson>>;
  readonly delegations?: {
    readonly keys: Readonly<Record<string, TufKey>>;
    readonly roles: readonly DelegatedRoleJson[];
  };
}

/** Clause 4.4. */
export interface SnapshotJson extends SignedJson {
  readonly _type: "snapshot";
  readonly meta: Readonly<Record<string, { readonly version: number }>>;
}

/** Clause 4.6. */
export interface TimestampJson extends SignedJson {
  readonly _type: "timestamp";
  readonly meta: { readonly "snapshot.json": { readonly version: number } };
}

export type AnySignedJson = RootJson | TargetsJson | SnapshotJson | TimestampJson;
type AnyMetadata = Metadata<Root> | Metadata<Targets> | Metadata<Snapshot> | Metadata<Timestamp>;

/** A document of one role, with as many signatures as it has so far. */
export interface TrustDocument<T extends AnySignedJson = AnySignedJson> {
  readonly role: string;
  readonly signed: T;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

export type RootDocument = TrustDocument<RootJson>;
export type TargetsDocument = TrustDocument<TargetsJson>;

/** A name of a delegated role that is also a file name and stays itself in a URL. */
function isRoleName(name: string): boolean {
  const isTopLevel: boolean = (topLevelRoles as readonly string[]).includes(name);
  return !isTopLevel && /^[a-z0-9][a-z0-9._-]{0,63}$/.test(name);
}

/** The fields of a signed part that is valid for so long, from now on or from a later time. */
export function lifeOf(now: number, lifeMs: number, fromUnixMs = now) {
  return {
    spec_version: "1.0.34",
    expires: formatDateTime(fromUnixMs + lifeMs),
    [issuedMember]: formatDateTime(now),
  } as const;
}

/** Clause 4.1: the bytes that are signed. */
export function payloadOf(document: TrustDocument): Buffer {
  return Buffer.from(canonicalize(modelOf(document).signed.toJSON()));
}

/**
 * The bytes of its file: JSON in the canonical order, so that the same document always is the same
 * file.
 */
export function fileOf(document: TrustDocument): Buffer {
  return Buffer.from(escapeControls(canonicalize(modelOf(document).toJSON())));
}

/** Canonical JSON leaves the line ends of PEM as they are, which no JSON parser takes. */
export function escapeControls(canonical: string): string {
  const escaped = (character: string): string => JSON.stringify(character).slice(1, -1);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those that JSON must escape
  return canonical.replaceAll(/[\u0000-\u001f]/g, escaped);
}

/** Reads a file of a role that we wrote; null when it is none. */
export function readDocument(role: string, bytes: Uint8Array): TrustDocument | null {
  try {
    const json = JSON.parse(Buffer.from(bytes).toString("utf8"));
    const { signed, signatures } = json as TrustDocument;
    const document = { role, signed, signatures };
    modelOf(document);
    if (!Number.isSafeInteger(signed.version) || signed.version < 1) return null;
    if (parseDateTime(signed.expires) === null) return null;
    if (signed._type === "targets" && !isOurTargets(signed)) return null;
    const names = new Set(signatures.map(({ keyid }) => keyid));
    return names.size === signatures.length ? document : null;
  } catch {
    return null; // the library throws a different error for each way of being malformed
  }
}

export function readRoot(bytes: Uint8Array): RootDocument | null {
  const document = readDocument("root", bytes);
  const director = (document?.signed as RootJson | undefined)?.[directorRoleMember];
  return isRole(director) ? (document as RootDocument) : null;
}

export function readTargets(role: string, bytes: Uint8Array): TargetsDocument | null {
  return readDocument(role, bytes) as TargetsDocument | null;
}

/**
 * Is the document of `role` signed by the threshold that `parent` asks for? Clauses 5.3.4 to 5.6.3.
 */
export function isSignedFor(parent: TrustDocument, role: string, document: TrustDocument): boolean {
  try {
    const model = modelOf(parent) as Metadata<Root> | Metadata<Targets>;
    model.verifyDelegate(role, modelOf(document));
    return true;
  } catch {
    return false; // below its threshold, or a role that the parent does not know
  }
}

/** The same document with a signature of one more key. */
export async function signedBy<T extends AnySignedJson>(
  document: TrustDocument<T>,
  signer: Signer,
): Promise<TrustDocument<T>> {
  const signature = await signer.sign(sha256(payloadOf(document)));
  return withSignature(document, signer.keyId, signature);
}

export function withSignature<T extends AnySignedJson>(
  document: TrustDocument<T>,
  keyid: string,
  signature: Uint8Array,
): TrustDocument<T> {
  const others = document.signatures.filter((one) => one.keyid !== keyid);
  const sig = Buffer.from(signature).toString("hex");
  return { ...document, signatures: [...others, { keyid, sig }] };
}

export function expiryOf({ signed }: TrustDocument): number {
  return parseDateTime(signed.expires) ?? 0;
}

/** Null for documents of other tools. */
export function issuedAt({ signed }: TrustDocument): number | null {
  const text: unknown = signed[issuedMember];
  return typeof text === "string" ? parseDateTime(text) : null;
}

/**
 * Beyond the specification: no succinct roles, names that are files, and SHA-256 for every target.
 */
function isOurTargets({ targets, delegations }: TargetsJson): boolean {
  const isOurs = Object.entries(targets).every(
    ([name, { length, hashes }]) =>
      isDeviceTargetName(name) &&
      Number.isSafeInteger(length) &&
      isSha256Hex(hashes.sha256 ?? null),
  );
  if (!isOurs || delegations === undefined) return isOurs;
  const { roles } = delegations;
  return Array.isArray(roles) && roles.every(({ name }) => isRoleName(name));
}

function isRole(value: unknown): value is RoleJson {
  const role = value as Partial<RoleJson> | null | undefined;
  return Array.isArray(role?.keyids) && Number.isSafeInteger(role?.threshold);
}

/** The library's form of a document; throws on one that breaks the specification. */
function modelOf({ role, signed, signatures }: TrustDocument): AnyMetadata {
  // Through JSON, because the library keeps what it is given and types it as its own JSON.
  const json = JSON.parse(JSON.stringify({ signed, signatures }));
  if (role === "root") return Metadata.fromJSON(MetadataKind.Root, json);
  if (role === "snapshot") return Metadata.fromJSON(MetadataKind.Snapshot, json);
  if (role === "timestamp") return Metadata.fromJSON(MetadataKind.Timestamp, json);
  return Metadata.fromJSON(MetadataKind.Targets, json);
}
