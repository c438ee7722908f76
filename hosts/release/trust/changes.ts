import { directorRoleMember } from "../../../src/trust/director-document.ts";
import { deviceLimits } from "../../../src/trust/limits.ts";
import { type TufKey, tufKey } from "../keys/signer.ts";
import {
  type DelegatedRoleJson,
  fileOf,
  lifeOf,
  type RoleJson,
  type RootDocument,
  type RootJson,
  type TargetJson,
  type TargetsDocument,
  type TargetsJson,
} from "./document.ts";
import { dayMs, delegatedRolesOf, type LifeDays, type TrustRepository } from "./repository.ts";

/** The roles that people give keys to; online stands for snapshot, timestamp and director. */
export const trustRoles = ["root", "targets", "online"] as const;
export type TrustRole = (typeof trustRoles)[number];

export interface PublicKey {
  readonly keyId: string;
  /** The uncompressed point. */
  readonly publicKey: Uint8Array;
}

export interface FirstKeys {
  readonly keys: Readonly<Record<TrustRole, readonly PublicKey[]>>;
  readonly thresholds: Readonly<Record<TrustRole, number>>;
  readonly lifeDays: LifeDays;
  readonly now: number;
}

/**
 * `exists`: there is a root, or a draft of one, already. `none`: there is no root yet. `threshold`:
 * fewer keys than signatures asked for, or a threshold below 1. `key-there`, `key-absent`.
 * `too-many`: more than a device takes.
 */
export type ChangeRefusal =
  | "exists"
  | "none"
  | "threshold"
  | "key-there"
  | "key-absent"
  | "too-many";

export type ChangeResult =
  | { readonly ok: true; readonly drafts: readonly string[] }
  | { readonly ok: false; readonly reason: ChangeRefusal; readonly message: string };

/** Drafts of the first root and of targets that list nothing. */
export function initialize(repository: TrustRepository, first: FirstKeys): ChangeResult {
  if (repository.latest("root") !== null)
    return refuse("exists", `${repository.folder} has a root already`);
  const { keys, thresholds, lifeDays, now } = first;
  for (const role of trustRoles) {
    const problem = thresholdProblem(role, keys[role].length, thresholds[role]);
    if (problem !== null) return problem;
  }
  const roleOf = (role: TrustRole): RoleJson => ({
    keyids: keys[role].map(({ keyId }) => keyId),
    threshold: thresholds[role],
  });
  const online = roleOf("online");
  const root: RootJson = {
    _type: "root",
    version: 1,
    ...lifeOf(now, lifeDays.root * dayMs),
    consistent_snapshot: true,
    keys: keysById(trustRoles.flatMap((role) => keys[role])),
    roles: {
      root: roleOf("root"),
      targets: roleOf("targets"),
      snapshot: online,
      timestamp: online,
    },
    [directorRoleMember]: online,
  };
  const tooLarge = rootProblem(root);
  if (tooLarge !== null) return tooLarge;
  repository.setLifeDays(lifeDays);
  repository.putDraft({ role: "root", signed: root, signatures: [] });
  repository.putDraft({ role: "targets", signed: emptyTargets(now, lifeDays), signatures: [] });
  return { ok: true, drafts: ["root", "targets"] };
}

/** Adds a key to a role, in a draft of the next root. */
export function addKey(
  repository: TrustRepository,
  role: TrustRole,
  key: PublicKey,
  now: number,
): ChangeResult {
  return changeRole(repository, role, now, (before) => {
    if (before.keyids.includes(key.keyId))
      return refuse("key-there", `${role} has the key ${key.keyId.slice(0, 16)} already`);
    return { role: { ...before, keyids: [...before.keyids, key.keyId] }, key };
  });
}

/** Takes a key from a role, in a draft of the next root. */
export function removeKey(
  repository: TrustRepository,
  role: TrustRole,
  keyId: string,
  now: number,
): ChangeResult {
  return changeRole(repository, role, now, (before) => {
    if (!before.keyids.includes(keyId))
      return refuse("key-absent", `${role} has no key ${keyId.slice(0, 16)}`);
    const keyids = before.keyids.filter((one) => one !== keyId);
    return { role: { ...before, keyids }, key: null };
  });
}

/** Sets how many keys of a role must sign, in a draft of the next root. */
export function setThreshold(
  repository: TrustRepository,
  role: TrustRole,
  threshold: number,
  now: number,
): ChangeResult {
  return changeRole(repository, role, now, (before) => ({
    role: { ...before, threshold },
    key: null,
  }));
}

/** Drafts of the next version with a new life, of roles whose documents are about to expire. */
export function renew(
  repository: TrustRepository,
  roles: readonly string[],
  now: number,
): ChangeResult {
  const drafts: string[] = [];
  for (const role of roles) {
    if (repository.latest(role) === null) return refuse("none", `there is no role "${role}"`);
    if (role === "root") repository.putDraft(nextRoot(repository, now) as RootDocument);
    else repository.putDraft(nextTargets(repository, role, now));
    drafts.push(role);
  }
  return { ok: true, drafts };
}

/** The draft of a targets role, or a new one: the next version, unsigned, with a new life. */
function nextTargets(
  repository: TrustRepository,
  role: string,
  now: number,
  change: Partial<Pick<TargetsJson, "targets" | "delegations">> = {},
): TargetsDocument {
  const latest = repository.latest(role) as TargetsDocument | null;
  const signed = latest?.signed ?? emptyTargets(now, repository.lifeDays);
  const version = (repository.current(role)?.signed.version ?? 0) + 1;
  const life = lifeOf(now, repository.lifeDays.targets * dayMs);
  return { role, signed: { ...signed, version, ...life, ...change }, signatures: [] };
}

/**
 * Puts targets into a delegated role, which is made when it is not there: drafts of the role and,
 * for a new one, of the targets that delegate to it.
 */
export function putTargets(
  repository: TrustRepository,
  role: { readonly name: string; readonly paths: readonly string[] },
  targets: Readonly<Record<string, TargetJson | null>>,
  now: number,
): ChangeResult {
  const top = repository.latest("targets") as TargetsDocument | null;
  const root = repository.latest("root") as RootDocument | null;
  if (top === null || root === null)
    return refuse("none", `${repository.folder} has no root; run "sluice trust init" first`);
  const drafts: string[] = [];
  if (!delegatedRolesOf(top).includes(role.name)) {
    const delegated = [...(top.signed.delegations?.roles ?? []), newDelegation(role, root)];
    if (delegated.length > deviceLimits.delegationsMax)
      return refuse("too-many", `a device takes ${deviceLimits.delegationsMax} delegated roles`);
    repository.putDraft(
      nextTargets(repository, "targets", now, {
        delegations: { keys: targetsKeys(root), roles: delegated },
      }),
    );
    drafts.push("targets");
  }
  const before = (repository.latest(role.name) as TargetsDocument | null)?.signed.targets ?? {};
  const after: Record<string, TargetJson> = {};
  for (const [name, target] of Object.entries({ ...before, ...targets }))
    if (target !== null) after[name] = target;
  repository.putDraft(nextTargets(repository, role.name, now, { targets: after }));
  return { ok: true, drafts: [...drafts, role.name] };
}

type RoleChange =
  | { readonly role: RoleJson; readonly key: PublicKey | null }
  | Extract<ChangeResult, { ok: false }>;

function changeRole(
  repository: TrustRepository,
  role: TrustRole,
  now: number,
  change: (before: RoleJson) => RoleChange,
): ChangeResult {
  const next = nextRoot(repository, now);
  if (next === null)
    return refuse("none", `${repository.folder} has no root; run "sluice trust init" first`);
  const { signed } = next;
  const changed = change(roleIn(signed, role));
  if ("ok" in changed) return changed;
  const problem = thresholdProblem(role, changed.role.keyids.length, changed.role.threshold);
  if (problem !== null) return problem;
  const roles =
    role === "online"
      ? { ...signed.roles, snapshot: changed.role, timestamp: changed.role }
      : { ...signed.roles, [role]: changed.role };
  const director = role === "online" ? changed.role : signed[directorRoleMember];
  const added = changed.key === null ? {} : keysById([changed.key]);
  const used = new Set([...Object.values(roles), director].flatMap(({ keyids }) => keyids));
  const keys = Object.fromEntries(
    Object.entries({ ...signed.keys, ...added }).filter(([keyId]) => used.has(keyId)),
  );
  if (Object.keys(keys).length > deviceLimits.keysMax)
    return refuse("too-many", `a device takes ${deviceLimits.keysMax} keys in a root`);
  const root = { ...next, signed: { ...signed, roles, keys, [directorRoleMember]: director } };
  const tooLarge = rootProblem(root.signed);
  if (tooLarge !== null) return tooLarge;
  repository.putDraft(root);
  const drafts = role === "targets" ? redelegate(repository, root, now) : [];
  return { ok: true, drafts: ["root", ...drafts] };
}

/** The delegated roles have the keys of the targets: new ones mean new delegations, signed anew. */
function redelegate(repository: TrustRepository, root: RootDocument, now: number): string[] {
  const latest = repository.latest("targets") as TargetsDocument | null;
  if (latest === null) return [];
  const { keyids, threshold } = root.signed.roles.targets;
  const roles = (latest.signed.delegations?.roles ?? []).map((one) => ({
    ...one,
    keyids,
    threshold,
  }));
  const delegations = roles.length === 0 ? {} : { delegations: { keys: targetsKeys(root), roles } };
  repository.putDraft(nextTargets(repository, "targets", now, delegations));
  const names = roles.map(({ name }) => name).filter((name) => repository.latest(name) !== null);
  for (const name of names) repository.putDraft(nextTargets(repository, name, now));
  return ["targets", ...names];
}

/** The draft of the root, or a new one: the next version, unsigned, with a new life. */
function nextRoot(repository: TrustRepository, now: number): RootDocument | null {
  const latest = repository.latest("root") as RootDocument | null;
  if (latest === null) return null;
  const version = (repository.root?.signed.version ?? 0) + 1;
  const life = lifeOf(now, repository.lifeDays.root * dayMs);
  return { role: "root", signed: { ...latest.signed, version, ...life }, signatures: [] };
}

/** Which keys sign for a role, in this root. */
function roleIn(root: RootJson, role: TrustRole): RoleJson {
  return role === "online" ? root[directorRoleMember] : root.roles[role];
}

function emptyTargets(now: number, lifeDays: LifeDays): TargetsJson {
  return {
    _type: "targets",
    version: 1,
    ...lifeOf(now, lifeDays.targets * dayMs),
    targets: {},
  };
}

function newDelegation(
  role: { readonly name: string; readonly paths: readonly string[] },
  root: RootDocument,
): DelegatedRoleJson {
  const { keyids, threshold } = root.signed.roles.targets;
  return { name: role.name, keyids, threshold, paths: role.paths, terminating: true };
}

function targetsKeys(root: RootDocument): Record<string, TufKey> {
  const { keyids } = root.signed.roles.targets;
  return Object.fromEntries(
    Object.entries(root.signed.keys).filter(([keyId]) => keyids.includes(keyId)),
  );
}

function keysById(keys: readonly PublicKey[]): Record<string, TufKey> {
  return Object.fromEntries(keys.map(({ keyId, publicKey }) => [keyId, tufKey(publicKey)]));
}

/** With a signature of each key that may sign it, as it is once everybody has. */
function rootProblem(signed: RootJson) {
  const signatures = signed.roles.root.keyids.map((keyid) => ({
    keyid,
    sig: "0".repeat(2 * derSignatureBytesMax),
  }));
  const { rootBytesMax, signaturesMax } = deviceLimits;
  if (signatures.length > signaturesMax)
    return refuse("too-many", `a device reads ${signaturesMax} signatures of a root`);
  const bytes = fileOf({ role: "root", signed, signatures }).length;
  if (bytes <= rootBytesMax) return null;
  return refuse(
    "too-many",
    `the root would have ${bytes} bytes once its keys have signed it, a device takes ${rootBytesMax}: use fewer keys`,
  );
}

/** r and s of P-256 in DER. */
const derSignatureBytesMax = 72;

function thresholdProblem(role: TrustRole, keys: number, threshold: number) {
  if (Number.isInteger(threshold) && threshold >= 1 && threshold <= keys) return null;
  return refuse(
    "threshold",
    `${role} would have ${keys} keys of which ${threshold} must sign; that needs at least 1 and no more than there are`,
  );
}

function refuse(reason: ChangeRefusal, message: string): Extract<ChangeResult, { ok: false }> {
  return { ok: false, reason, message };
}
