import { deviceLimits } from "../../../src/trust/limits.ts";
import { p256TrustCrypto } from "../../../src/trust/p256-crypto.ts";
import type { Verdict } from "../../../src/trust/refusal.ts";
import type { Role } from "../../../src/trust/role.ts";
import type { Root } from "../../../src/trust/root.ts";
import type { Targets } from "../../../src/trust/targets.ts";
import type { TrustRules } from "../../../src/trust/trust-rules.ts";
import { acceptNextRoot, acceptTargets, acceptTrustedRoot } from "../../../src/trust/workflow.ts";
import { nodeCrypto } from "../node-crypto.ts";
import { fileOf, type RootDocument, type TargetsDocument } from "./document.ts";

/** What a device makes of a document, by its role: the first thing that it refuses. */
export interface DeviceRefusal {
  readonly role: string;
  readonly problem: string;
}

/**
 * Reads what is about to be served with the firmware's own reader and limits: the chain of roots
 * from the first, the targets, and the delegated roles that devices read. Null when all are taken.
 */
export function deviceRefusal(
  set: {
    readonly roots: readonly RootDocument[];
    readonly targets: TargetsDocument | null;
    readonly delegated: ReadonlyMap<string, TargetsDocument>;
  },
  now: number,
): DeviceRefusal | null {
  const rules = { limits: deviceLimits, crypto: p256TrustCrypto(nodeCrypto), memory: null };
  const root = followRoots(set.roots, rules);
  if ("problem" in root || set.targets === null) return "problem" in root ? root : null;
  const targets = readTargets(set.targets, root.targets, now, rules);
  if ("problem" in targets) return targets;
  for (const { name, role } of targets.delegations) {
    const document = set.delegated.get(name);
    if (document === undefined || name === evidenceRoleName) continue;
    const read = readTargets(document, role, now, rules);
    if ("problem" in read) return read;
  }
  return null;
}

/** SBOMs and notes, which no device reads and which may be larger than it could. */
export const evidenceRoleName = "evidence";

function followRoots(roots: readonly RootDocument[], rules: TrustRules): Root | DeviceRefusal {
  let trusted: Root | null = null;
  for (const document of roots) {
    const bytes = fileOf(document);
    const verdict: Verdict<Root> =
      trusted === null ? acceptTrustedRoot(bytes, rules) : acceptNextRoot(trusted, bytes, rules);
    if (!verdict.ok)
      return {
        role: "root",
        problem: `a device refuses version ${document.signed.version}: ${verdict.reason}: ${verdict.detail}`,
      };
    trusted = verdict.value;
  }
  return trusted ?? { role: "root", problem: "there is no root" };
}

function readTargets(
  document: TargetsDocument,
  role: Role,
  now: number,
  rules: TrustRules,
): Targets | DeviceRefusal {
  const meta = { version: document.signed.version, lengthBytes: null, hashes: null };
  const verdict = acceptTargets(fileOf(document), role, meta, now, rules);
  if (verdict.ok) return verdict.value;
  const problem = `a device refuses it: ${verdict.reason}: ${verdict.detail}`;
  return { role: document.role, problem };
}
