import { deviceLimits } from "../../../src/trust/limits.ts";
import { pointOfPem, sha256, tufKeyId } from "../keys/signer.ts";
import { deviceRefusal, evidenceRoleName } from "./device-check.ts";
import {
  fileOf,
  isSignedFor,
  type RootDocument,
  type SnapshotJson,
  type TargetsDocument,
  type TimestampJson,
  type TrustDocument,
} from "./document.ts";
import { type Expiry, expiryLevel } from "./expiry.ts";
import { delegatedRolesOf } from "./repository.ts";

/** Everything that a server serves, or is about to. */
export interface TrustSet {
  readonly roots: readonly RootDocument[];
  readonly targets: TargetsDocument | null;
  readonly delegated: ReadonlyMap<string, TargetsDocument>;
  readonly snapshot: TrustDocument | null;
  readonly timestamp: TrustDocument | null;
}

/** One thing that is wrong, by the role that it is wrong with. */
export interface TrustProblem {
  readonly role: string;
  readonly problem: string;
}

export interface TrustReport {
  /** Empty when devices accept everything. */
  readonly problems: readonly TrustProblem[];
  readonly roles: readonly Expiry[];
}

/**
 * Checks everything as a client would that begins with the first root, and against a device's
 * limits.
 */
export function verifyTrust(set: TrustSet, now: number): TrustReport {
  const online = set.snapshot === null && set.timestamp === null ? [] : onlineProblems(set);
  const problems = [...rootProblems(set.roots), ...targetsProblems(set), ...online];
  const root = set.roots.at(-1);
  const documents = [root, set.targets, ...set.delegated.values(), set.snapshot, set.timestamp];
  const roles = documents
    .filter((document) => document !== undefined && document !== null)
    .map((document) => expiryLevel(document, now));
  const expired = roles
    .filter(({ level }) => level === "expired")
    .map(({ role, expiresUnixMs }) => ({
      role,
      problem: `it expired at ${new Date(expiresUnixMs).toISOString()}`,
    }));
  const told = [...problems, ...expired];
  // Last, because the reasons above are in the words of who can mend them.
  const refusal = told.length === 0 ? deviceRefusal(set, now) : null;
  return { problems: refusal === null ? told : [refusal], roles };
}

/** Clauses 5.3.3 to 5.3.9: every root is signed by itself and by the one before it. */
function rootProblems(roots: readonly RootDocument[]): TrustProblem[] {
  const problems: TrustProblem[] = [];
  const tell = (problem: string): void => void problems.push({ role: "root", problem });
  if (roots.length === 0) tell("there is no root");
  for (const [index, root] of roots.entries()) {
    const { version, keys } = root.signed;
    if (version !== index + 1) tell(`version ${index + 1} is missing`);
    if (!isSignedFor(root, "root", root))
      tell(`version ${version} lacks signatures of its own keys`);
    const before = roots[index - 1];
    if (before !== undefined && !isSignedFor(before, "root", root))
      tell(`version ${version} lacks signatures of the keys of version ${before.signed.version}`);
    for (const [keyId, { keyval }] of Object.entries(keys)) {
      const point = pointOfPem(keyval.public);
      if (point === null || tufKeyId(point) !== keyId)
        tell(`version ${version} has a key that is not what its id says: ${keyId.slice(0, 16)}`);
    }
    tooLarge(root, deviceLimits.rootBytesMax, tell);
  }
  return problems;
}

function targetsProblems({ roots, targets, delegated }: TrustSet): TrustProblem[] {
  const problems: TrustProblem[] = [];
  const root = roots.at(-1);
  if (root === undefined) return [];
  if (targets === null) return [{ role: "targets", problem: "there are no signed targets" }];
  if (!isSignedFor(root, "targets", targets))
    problems.push({ role: "targets", problem: "it lacks signatures of the keys that root names" });
  tooLarge(targets, deviceLimits.targetsBytesMax, (problem) =>
    problems.push({ role: "targets", problem }),
  );
  for (const role of delegatedRolesOf(targets)) {
    const document = delegated.get(role);
    const tell = (problem: string): void => void problems.push({ role, problem });
    if (document === undefined) tell("targets delegate to it and it is not signed yet");
    else if (!isSignedFor(targets, role, document))
      tell("it lacks signatures of the keys that targets name");
    else if (role !== evidenceRole.name) deviceFit(document, tell);
  }
  return problems;
}

function onlineProblems({ roots, targets, delegated, snapshot, timestamp }: TrustSet) {
  const problems: TrustProblem[] = [];
  const tell = (role: string, problem: string): void => void problems.push({ role, problem });
  const root = roots.at(-1);
  if (root === undefined) return problems;
  if (timestamp === null || !isSignedFor(root, "timestamp", timestamp))
    tell("timestamp", "it is not signed by the keys that root names");
  if (snapshot === null || !isSignedFor(root, "snapshot", snapshot))
    tell("snapshot", "it is not signed by the keys that root names");
  if (snapshot === null || timestamp === null) return problems;
  const listed = (timestamp.signed as TimestampJson).meta["snapshot.json"].version;
  if (listed !== snapshot.signed.version)
    tell("timestamp", `it lists snapshot ${listed}, not ${snapshot.signed.version}`);
  const { meta } = snapshot.signed as SnapshotJson;
  if (meta["targets.json"]?.version !== targets?.signed.version)
    tell("snapshot", `it does not list targets ${targets?.signed.version}`);
  for (const [role, { signed }] of delegated)
    if (meta[`${role}.json`]?.version !== signed.version)
      tell("snapshot", `it does not list ${role} ${signed.version}`);
  tooLarge(snapshot, deviceLimits.snapshotBytesMax, (problem) => tell("snapshot", problem));
  tooLarge(timestamp, deviceLimits.timestampBytesMax, (problem) => tell("timestamp", problem));
  return problems;
}

/** SBOMs, release notes, block hashes: what no device searches. */
export const evidenceRole = { name: evidenceRoleName, paths: ["evidence/*/*"] } as const;

/** What is wrong with a role of releases for the limits of a device. */
export function deviceFit(document: TargetsDocument, tell: (problem: string) => void): void {
  const count = Object.keys(document.signed.targets).length;
  const { targetsMax } = deviceLimits;
  if (count > targetsMax)
    tell(
      `it lists ${count} releases, a device takes ${targetsMax}: take old ones out with "sluice trust remove-release"`,
    );
  tooLarge(document, deviceLimits.targetsBytesMax, tell);
}

function tooLarge(
  document: TrustDocument,
  bytesMax: number,
  tell: (problem: string) => void,
): void {
  const bytes = fileOf(document).length;
  if (bytes > bytesMax) tell(`it has ${bytes} bytes, a device takes ${bytesMax}`);
}

/** Is this the file that a target names? */
export function isTargetFile(
  bytes: Uint8Array,
  target: { readonly length: number; readonly hashes: { readonly sha256: string } },
): boolean {
  return bytes.length === target.length && sha256(bytes).toString("hex") === target.hashes.sha256;
}
