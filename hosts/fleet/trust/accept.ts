import {
  fileOf,
  type RootDocument,
  readDocument,
  readRoot,
  readTargets,
  type TargetsDocument,
  type TrustDocument,
} from "../../release/trust/document.ts";
import {
  delegatedRolesOf,
  fileNameOf,
  type TrustRepository,
} from "../../release/trust/repository.ts";
import type { TrustReport, TrustSet } from "../../release/trust/verify.ts";
import { leaveTurn } from "../time/slices.ts";

/** File names as they are served, and their text. */
export type IncomingDocuments = Readonly<Record<string, string>>;

export interface MissingTarget {
  readonly name: string;
  readonly sha256: string;
}

/**
 * `malformed`: a file is none of metadata. `rollback`: an older version than the one that is here,
 * or other bytes under its version. `untrusted`: what devices would not accept. `targets-missing`:
 * files that the targets name have to be sent first.
 */
export type AcceptRefusal = "malformed" | "rollback" | "untrusted" | "targets-missing";

export type AcceptResult =
  | { readonly ok: true; readonly documents: readonly TrustDocument[] }
  | {
      readonly ok: false;
      readonly reason: AcceptRefusal;
      readonly message: string;
      readonly missing: readonly MissingTarget[];
    };

/** What the server asks others while it judges. */
export interface Judges {
  /** Verifies a set as devices would, in a thread of its own. */
  verify(set: TrustSet, now: number): Promise<TrustReport>;
  hasFile(sha256: string, lengthBytes: number): Promise<boolean>;
}

const missingToldMax = 1000;

/**
 * Would devices accept the repository with these documents? The server checks as they do, so that a
 * mistake at the release machine stops here and not at the fleet.
 */
export async function judgeIncoming(
  repository: TrustRepository,
  incoming: IncomingDocuments,
  now: number,
  judges: Judges,
): Promise<AcceptResult> {
  const fresh: TrustDocument[] = [];
  for (const [name, text] of Object.entries(incoming)) {
    await leaveTurn();
    const document = parseIncoming(name, text);
    if (document === null)
      return refuse("malformed", `${name} is no root, targets or delegated role in JSON`);
    const known = repository.at(document.role, document.signed.version);
    if (known !== null) {
      if (fileOf(known).equals(fileOf(document))) continue;
      return refuse("rollback", `${name} differs from the one that is served already`);
    }
    const { version = 0 } = repository.current(document.role)?.signed ?? {};
    if (document.signed.version < version)
      return refuse(
        "rollback",
        `${name} is older than version ${version}, which is served already`,
      );
    fresh.push(document);
  }
  const roots = [...repository.roots, ...fresh.filter(({ role }) => role === "root")].sort(
    (a, b) => a.signed.version - b.signed.version,
  ) as RootDocument[];
  const latest = (role: string): TargetsDocument | null =>
    (newest(fresh, role) ?? repository.current(role)) as TargetsDocument | null;
  const targets = latest("targets");
  const delegated = new Map<string, TargetsDocument>();
  for (const role of delegatedRolesOf(targets)) {
    const document = latest(role);
    if (document !== null) delegated.set(role, document);
  }
  const set = { roots, targets, delegated, snapshot: null, timestamp: null };
  const [problem] = (await judges.verify(set, now)).problems;
  if (problem !== undefined)
    return refuse("untrusted", `devices would refuse ${problem.role}: ${problem.problem}`);
  const missing = await missingTargets(delegated, judges.hasFile);
  if (missing.length > 0)
    return {
      ...refuse("targets-missing", `${missing.length} files that targets name are not here yet`),
      missing: missing.slice(0, missingToldMax),
    };
  return { ok: true, documents: fresh };
}

async function missingTargets(
  delegated: ReadonlyMap<string, TargetsDocument>,
  hasFile: (sha256: string, lengthBytes: number) => Promise<boolean>,
): Promise<MissingTarget[]> {
  const missing: MissingTarget[] = [];
  for (const { signed } of delegated.values())
    for (const [name, { length, hashes }] of Object.entries(signed.targets))
      if (!(await hasFile(hashes.sha256, length))) missing.push({ name, sha256: hashes.sha256 });
  return missing;
}

function parseIncoming(name: string, text: string): TrustDocument | null {
  const [, role = ""] = /^\d{1,10}\.([a-z0-9][a-z0-9._-]{0,63})\.json$/.exec(name) ?? [];
  if (role === "" || role === "snapshot" || role === "timestamp") return null;
  const bytes = Buffer.from(text);
  const document =
    role === "root"
      ? readRoot(bytes)
      : role === "targets"
        ? readTargets(role, bytes)
        : readDocument(role, bytes);
  return document !== null && fileNameOf(document) === name ? document : null;
}

function newest(documents: readonly TrustDocument[], role: string): TrustDocument | null {
  const own = documents.filter((document) => document.role === role);
  return own.sort((a, b) => b.signed.version - a.signed.version)[0] ?? null;
}

function refuse(reason: AcceptRefusal, message: string): Extract<AcceptResult, { ok: false }> {
  return { ok: false, reason, message, missing: [] };
}
