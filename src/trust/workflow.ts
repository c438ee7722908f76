import { type FileCheck, metaFileCheck } from "./file-check.ts";
import {
  type Common,
  type MetaFile,
  parseSnapshot,
  parseTimestamp,
  type Snapshot,
  type Timestamp,
} from "./metadata.ts";
import { accepted, type Refused, refused, type Verdict } from "./refusal.ts";
import type { Role } from "./role.ts";
import { parseRoot, type Root } from "./root.ts";
import { checkSignatures, parseSignedDocument, type SignedDocument } from "./signed-document.ts";
import { parseTargets, type Targets } from "./targets.ts";
import type { TrustRules } from "./trust-rules.ts";

/*
 * The decisions of TUF's client workflow (1.0.34, section 5), each a function of what is trusted
 * and of the bytes that came. Nothing is fetched or stored here.
 */

/** 5.2: the root that is trusted already. Its expiry does not matter; its own keys signed it. */
export function acceptTrustedRoot(bytes: Uint8Array, rules: TrustRules): Verdict<Root> {
  const read = readRoot(bytes, rules);
  if (!read.ok) return read;
  const { document, root } = read.value;
  return checkSignatures(document, root.root, rules) ?? accepted(root);
}

/** 5.3.3 to 5.3.6: the root that follows the trusted one. */
export function acceptNextRoot(trusted: Root, bytes: Uint8Array, rules: TrustRules): Verdict<Root> {
  const tooLarge = withinBytes(bytes, rules.limits.rootBytesMax);
  if (tooLarge !== null) return tooLarge;
  const read = readRoot(bytes, rules);
  if (!read.ok) return read;
  const { document, root } = read.value;
  // 5.3.4: a threshold of the keys of version N, and one of those of version N+1.
  const unsigned =
    checkSignatures(document, trusted.root, rules) ?? checkSignatures(document, root.root, rules);
  if (unsigned !== null) return unsigned;
  // 5.3.5: the version is exactly N+1.
  if (root.version !== trusted.version + 1)
    return refused("version-mismatch", `version ${root.version} instead of ${trusted.version + 1}`);
  return accepted(root);
}

/** 5.3.10, 5.4.4, 5.5.6, 5.6.5: "MUST be higher than the fixed update start time". */
export function checkExpiry({ expiresUnixMs }: Common, startUnixMs: number): Refused | null {
  if (expiresUnixMs > startUnixMs) return null;
  const times = [expiresUnixMs, startUnixMs].map((time) => new Date(time).toISOString());
  return refused("expired", `expired ${times[0]}, it is ${times[1]}`);
}

/** 5.4.2: the signatures, also of a timestamp that was stored. */
export function readTimestamp(
  bytes: Uint8Array,
  root: Root,
  rules: TrustRules,
): Verdict<Timestamp> {
  const tooLarge = withinBytes(bytes, rules.limits.timestampBytesMax);
  if (tooLarge !== null) return tooLarge;
  const document = readSigned(bytes, root.timestamp, rules);
  return document.ok ? parseTimestamp(document.value.signed) : document;
}

/** 5.4.3 and 5.4.4 for a timestamp that came; `known` means that the trusted one stays. */
export function judgeTimestamp(
  timestamp: Timestamp,
  trusted: Timestamp | null,
  startUnixMs: number,
): Verdict<"new" | "known"> {
  if (trusted !== null) {
    // 5.4.3.1: not lower; an equal one changes nothing.
    if (timestamp.version < trusted.version)
      return refused(
        "version-rollback",
        `version ${timestamp.version} after ${trusted.version} was trusted`,
      );
    // 5.4.3.2: nor may it lead to a lower snapshot.
    const equal = timestamp.version === trusted.version;
    if (!equal && timestamp.snapshot.version < trusted.snapshot.version)
      return refused(
        "version-rollback",
        `snapshot ${timestamp.snapshot.version} after ${trusted.snapshot.version} was trusted`,
      );
    // An old one that comes again is no fresher than it was: 5.4.4 is for it as well.
    if (equal) return checkExpiry(trusted, startUnixMs) ?? accepted("known");
  }
  return checkExpiry(timestamp, startUnixMs) ?? accepted("new");
}

/** 5.5.3: the signatures, also of a snapshot that was stored and may be outdated. */
export function readSnapshot(bytes: Uint8Array, root: Root, rules: TrustRules): Verdict<Snapshot> {
  const document = readSigned(bytes, root.snapshot, rules);
  return document.ok ? parseSnapshot(document.value.signed, rules.limits) : document;
}

/** 5.5.1, 5.5.2: whether these bytes are the ones that the timestamp means. */
export function snapshotCheck(timestamp: Timestamp, rules: TrustRules): FileCheck {
  return metaFileCheck(timestamp.snapshot, rules.limits.snapshotBytesMax, rules.crypto);
}

/** 5.5.4 to 5.5.6. */
export function judgeSnapshot(
  snapshot: Snapshot,
  meta: MetaFile,
  trusted: Snapshot | null,
  startUnixMs: number,
): Refused | null {
  // 5.5.4: the version is the timestamp's.
  if (snapshot.version !== meta.version)
    return refused("version-mismatch", `version ${snapshot.version} instead of ${meta.version}`);
  // 5.5.5: no file goes back or away.
  for (const [name, before] of trusted?.files ?? []) {
    const after = snapshot.files.get(name);
    if (after === undefined) return refused("role-removed", `${name} is not listed any more`);
    if (after.version < before.version)
      return refused(
        "version-rollback",
        `${name} ${after.version} after ${before.version} was trusted`,
      );
  }
  return checkExpiry(snapshot, startUnixMs);
}

/** 5.6.1: what the snapshot says of a targets role; a role that it does not list is none. */
export function targetsMeta(snapshot: Snapshot, roleName: string): Verdict<MetaFile> {
  const meta = snapshot.files.get(`${roleName}.json`);
  return meta === undefined
    ? refused("role-not-in-snapshot", `the snapshot does not list ${roleName}`)
    : accepted(meta);
}

/** 5.6.1, 5.6.2. */
export function targetsCheck(meta: MetaFile, rules: TrustRules): FileCheck {
  return metaFileCheck(meta, rules.limits.targetsBytesMax, rules.crypto);
}

/** 5.6.2 to 5.6.5 for the top-level role and for any delegated one, against who delegates to it. */
export function acceptTargets(
  bytes: Uint8Array,
  role: Role,
  meta: MetaFile,
  startUnixMs: number,
  rules: TrustRules,
): Verdict<Targets> {
  // 5.6.2: length and hashes.
  const foreign = targetsCheck(meta, rules).whole(bytes);
  if (foreign !== null) return foreign;
  // 5.6.3: the signatures.
  const document = parseSignedDocument(bytes, rules.limits);
  if (!document.ok) return document;
  const unsigned = checkSignatures(document.value, role, rules);
  if (unsigned !== null) return unsigned;
  const targets = parseTargets(document.value.signed, rules);
  if (!targets.ok) return targets;
  // 5.6.4: the version is the snapshot's.
  const { version } = targets.value;
  if (version !== meta.version)
    return refused("version-mismatch", `version ${version} instead of ${meta.version}`);
  return checkExpiry(targets.value, startUnixMs) ?? targets;
}

function readRoot(
  bytes: Uint8Array,
  rules: TrustRules,
): Verdict<{ readonly document: SignedDocument; readonly root: Root }> {
  const document = parseSignedDocument(bytes, rules.limits);
  if (!document.ok) return document;
  const root = parseRoot(document.value.signed, rules);
  return root.ok ? accepted({ document: document.value, root: root.value }) : root;
}

function readSigned(bytes: Uint8Array, role: Role, rules: TrustRules): Verdict<SignedDocument> {
  const document = parseSignedDocument(bytes, rules.limits);
  if (!document.ok) return document;
  return checkSignatures(document.value, role, rules) ?? document;
}

function withinBytes(bytes: Uint8Array, bytesMax: number): Refused | null {
  return bytes.length <= bytesMax
    ? null
    : refused("too-large", `${bytes.length} bytes, at most ${bytesMax}`);
}
