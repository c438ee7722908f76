import type { Signer } from "../keys/signer.ts";
import {
  type AnySignedJson,
  expiryOf,
  isSignedFor,
  issuedAt,
  lifeOf,
  type RootDocument,
  type SnapshotJson,
  signedBy,
  type TargetsDocument,
  type TimestampJson,
  type TrustDocument,
} from "./document.ts";
import { dayMs, delegatedRolesOf, type LifeDays } from "./repository.ts";

/** What the offline keys signed, and what the online key signed over it last. */
export interface SignedSet {
  readonly root: RootDocument;
  readonly targets: TargetsDocument;
  /** By role. */
  readonly delegated: ReadonlyMap<string, TargetsDocument>;
  readonly snapshot: TrustDocument | null;
  readonly timestamp: TrustDocument | null;
}

export interface OnlineOptions {
  /** The online keys; what they sign stands in their audit log. */
  signersFor(purpose: string): readonly Signer[];
  readonly now: number;
  readonly lifeDays: LifeDays;
  /** Signs even what is good for longer still. */
  readonly always: boolean;
  /** New versions are at least this: of the time, so that they move past what a lost disk had. */
  readonly versionMin?: number;
  /**
   * The latest time that a device was told: what is signed outlives it, whatever the clock says.
   */
  readonly toldUnixMs?: number;
}

/**
 * `role-unsigned`: the targets delegate to a role that has no document yet. `role-untrusted`: a
 * role is signed by other keys than those that root and targets name. `wrong-key`: the
 * signers are not those of the root's snapshot and timestamp roles.
 */
export type OnlineRefusal = "role-unsigned" | "role-untrusted" | "wrong-key";

export type OnlineResult =
  | {
      readonly ok: true;
      readonly snapshot: TrustDocument<SnapshotJson>;
      readonly timestamp: TrustDocument<TimestampJson>;
      /** Which of the two documents are new. */
      readonly signed: readonly ("snapshot" | "timestamp")[];
    }
  | { readonly ok: false; readonly reason: OnlineRefusal; readonly message: string };

/**
 * Signs a snapshot when what it lists has changed, and a timestamp when the snapshot has; and
 * either when half of its life is over, or when it is not signed by the keys of the root any more.
 * Versions only grow (clauses 5.4.3 and 5.5.5), and no role leaves the snapshot.
 */
export async function signOnline(set: SignedSet, options: OnlineOptions): Promise<OnlineResult> {
  const { root, targets, delegated } = set;
  const names = delegatedRolesOf(targets);
  const missing = names.find((name) => !delegated.has(name));
  if (missing !== undefined)
    return refuse(
      "role-unsigned",
      `targets delegate to "${missing}", which is not signed yet: sign its draft first`,
    );
  const untrusted = isSignedFor(root, "targets", targets)
    ? names.find((name) => !isSignedFor(targets, name, delegated.get(name) ?? targets))
    : "targets";
  if (untrusted !== undefined)
    return refuse(
      "role-untrusted",
      `"${untrusted}" is not signed by the keys that count now: sign its draft, and publish it`,
    );
  const meta: Record<string, { version: number }> = {
    "targets.json": { version: targets.signed.version },
  };
  for (const [name, { signed }] of delegated) meta[`${name}.json`] = { version: signed.version };
  const before = set.snapshot as TrustDocument<SnapshotJson> | null;
  const isSame = before !== null && isSameMeta(before.signed.meta, meta);
  const keepsSnapshot = isSame && !isDue(root, before, options);
  const snapshot = keepsSnapshot ? before : await newSnapshot(before, meta, options);
  const earlier = set.timestamp as TrustDocument<TimestampJson> | null;
  const listed = earlier?.signed.meta["snapshot.json"].version;
  const isCurrent = earlier !== null && listed === snapshot.signed.version;
  const keepsTimestamp = isCurrent && !isDue(root, earlier, options);
  const timestamp = keepsTimestamp ? earlier : await newTimestamp(earlier, snapshot, options);
  if (!isSignedFor(root, "snapshot", snapshot) || !isSignedFor(root, "timestamp", timestamp))
    return refuse(
      "wrong-key",
      "the online key given is not the one that root names for snapshot and timestamp",
    );
  const signed: ("snapshot" | "timestamp")[] = keepsSnapshot ? [] : ["snapshot"];
  if (!keepsTimestamp) signed.push("timestamp");
  return { ok: true, snapshot, timestamp, signed };
}

async function newSnapshot(
  before: TrustDocument<SnapshotJson> | null,
  meta: SnapshotJson["meta"],
  options: OnlineOptions,
): Promise<TrustDocument<SnapshotJson>> {
  const signed: SnapshotJson = {
    _type: "snapshot",
    version: versionAfter(before, options),
    ...lifeOf(options.now, options.lifeDays.snapshot * dayMs, startOf(options)),
    meta: { ...before?.signed.meta, ...meta },
  };
  return signAll({ role: "snapshot", signed, signatures: [] }, options);
}

async function newTimestamp(
  before: TrustDocument<TimestampJson> | null,
  snapshot: TrustDocument<SnapshotJson>,
  options: OnlineOptions,
): Promise<TrustDocument<TimestampJson>> {
  const signed: TimestampJson = {
    _type: "timestamp",
    version: versionAfter(before, options),
    ...lifeOf(options.now, options.lifeDays.timestamp * dayMs, startOf(options)),
    meta: { "snapshot.json": { version: snapshot.signed.version } },
  };
  return signAll({ role: "timestamp", signed, signatures: [] }, options);
}

function versionAfter(before: TrustDocument | null, { versionMin = 1 }: OnlineOptions): number {
  return Math.max((before?.signed.version ?? 0) + 1, versionMin);
}

async function signAll<T extends AnySignedJson>(
  document: TrustDocument<T>,
  options: OnlineOptions,
): Promise<TrustDocument<T>> {
  let signed = document;
  const purpose = `${document.role} version ${document.signed.version}`;
  for (const signer of options.signersFor(purpose)) signed = await signedBy(signed, signer);
  return signed;
}

/** Clocks of two machines may differ by this much. */
const aheadMsMax = 5 * 60_000;

/** When the life of what is signed begins: for a device that was told a later time, that is now. */
function startOf({ now, toldUnixMs = now }: OnlineOptions): number {
  return Math.max(now, toldUnixMs);
}

function isDue(
  root: RootDocument,
  document: TrustDocument<SnapshotJson | TimestampJson>,
  options: OnlineOptions,
): boolean {
  if (options.always || !isSignedFor(root, document.role, document)) return true;
  const expires = expiryOf(document);
  const issued = issuedAt(document) ?? options.now;
  // Signed by a clock that was ahead: by the right one it would be left alone for as long.
  if (issued - options.now > aheadMsMax) return true;
  const start = startOf(options);
  if (start === options.now) return expires - start < (expires - issued) / 2;
  const half = (options.lifeDays[document.signed._type] * dayMs) / 2;
  return expires - start < half || options.now - issued > half;
}

function isSameMeta(before: SnapshotJson["meta"], after: SnapshotJson["meta"]): boolean {
  return Object.entries(after).every(([name, { version }]) => before[name]?.version === version);
}

function refuse(reason: OnlineRefusal, message: string): OnlineResult {
  return { ok: false, reason, message };
}
