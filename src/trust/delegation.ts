import { toHex } from "../image/hex.ts";
import { isOf } from "../image/text-parts.ts";
import { refused, type Verdict } from "./refusal.ts";
import type { Role } from "./role.ts";
import type { Delegation, TargetFile, Targets } from "./targets.ts";
import { sha256Of, type TrustCrypto } from "./trust-crypto.ts";

/** A role that the search wants to look into, and who may sign it on this way. */
export interface Visit {
  readonly name: string;
  readonly role: Role;
}

export type SearchStep =
  | { readonly kind: "visit"; readonly visit: Visit }
  | { readonly kind: "found"; readonly file: TargetFile; readonly inRole: string }
  | { readonly kind: "absent" };

/**
 * The search of clause 5.6.7: pre-order, depth first, in order of appearance. It asks for one role
 * after the other and decides nothing about their trust: each is verified against the role that
 * delegates to it on this way, also when another way led to it before.
 */
export class TargetSearch {
  readonly #targetName: string;
  readonly #visitedRolesMax: number;
  readonly #crypto: TrustCrypto;
  readonly #visited = new Set<string>();
  /** The next one last. */
  readonly #pending: Visit[];
  #found: { readonly file: TargetFile; readonly inRole: string } | null = null;

  constructor(options: {
    readonly targetName: string;
    /** The top-level targets role. */
    readonly targets: Role;
    readonly visitedRolesMax: number;
    readonly crypto: TrustCrypto;
  }) {
    this.#targetName = options.targetName;
    this.#visitedRolesMax = options.visitedRolesMax;
    this.#crypto = options.crypto;
    this.#pending = [{ name: "targets", role: options.targets }];
  }

  next(): SearchStep {
    if (this.#found !== null) return { kind: "found", ...this.#found };
    // Bounded by what `provide` put there.
    for (let visit = this.#pending.pop(); visit !== undefined; visit = this.#pending.pop()) {
      // 5.6.7.1: a role that was visited before is skipped, and so are those beyond the maximum.
      if (this.#visited.has(visit.name)) continue;
      if (this.#visited.size === this.#visitedRolesMax) break;
      this.#visited.add(visit.name);
      return { kind: "visit", visit };
    }
    return { kind: "absent" };
  }

  /** The metadata of the role that `next` asked for, verified. */
  provide(name: string, targets: Targets): void {
    const file = targets.targets.get(this.#targetName);
    if (file !== undefined) {
      this.#found = { file, inRole: name };
      return;
    }
    const matching: Visit[] = [];
    for (const delegation of targets.delegations) {
      const roleName = delegatedRoleName(delegation, this.#targetName, this.#crypto);
      if (roleName === null) continue;
      matching.push({ name: roleName, role: delegation.role });
      if (!delegation.terminating) continue;
      // 5.6.7.2.1: behind a terminating delegation nothing else is looked into, on any level.
      this.#pending.length = 0;
      break;
    }
    this.#pending.push(...matching.reverse());
  }
}

/** Null when the delegation says nothing about this target (clause 4.5, `paths`). */
function delegatedRoleName(
  delegation: Delegation,
  targetName: string,
  crypto: TrustCrypto,
): string | null {
  const { name, authority } = delegation;
  switch (authority.kind) {
    case "paths":
      return authority.entries.some((pattern) => matchesPattern(targetName, pattern)) ? name : null;
    case "hash-prefixes": {
      const digest = toHex(digestOf(targetName, crypto));
      return authority.entries.some((prefix) => digest.startsWith(prefix)) ? name : null;
    }
    case "bins": {
      const view = new DataView(digestOf(targetName, crypto).slice(0, 4).buffer);
      const bin = view.getUint32(0) >>> (32 - authority.bitLength);
      const digits = Math.ceil(authority.bitLength / 4);
      return `${name}-${bin.toString(16).padStart(digits, "0")}`;
    }
    default:
      return authority satisfies never;
  }
}

/**
 * 4.5: shell patterns with `*` and `?`, neither of which matches a `/`. Takes time in proportion to
 * the product of both lengths at most, whatever the pattern.
 */
export function matchesPattern(targetName: string, pattern: string): boolean {
  const names = targetName.split("/");
  const patterns = pattern.split("/");
  return (
    names.length === patterns.length &&
    names.every((name, index) => matchesPart(name, patterns[index] ?? ""))
  );
}

/** Goes back to the last `*` only: what an earlier one could match, the last one can too. */
function matchesPart(name: string, pattern: string): boolean {
  let at = 0;
  let star = -1;
  let starAt = 0;
  let index = 0;
  // Bounded: each turn advances in the name, or moves `starAt` on.
  while (at < name.length) {
    const wanted = pattern[index];
    if (wanted === "*") {
      star = index;
      starAt = at;
      index += 1;
    } else if (wanted === "?" || (wanted !== undefined && wanted === name[at])) {
      index += 1;
      at += 1;
    } else if (star >= 0) {
      starAt += 1;
      at = starAt;
      index = star + 1;
    } else return false;
  }
  return isOf(pattern.slice(index), "*", 0, pattern.length);
}

function digestOf(targetName: string, crypto: TrustCrypto): Uint8Array {
  return sha256Of(crypto, (update) => update(new TextEncoder().encode(targetName)));
}

/** What a search that ends without a target says. */
export function notFound(targetName: string): Verdict<never> {
  return refused("target-not-found", `no role that may speak of ${targetName} lists it`);
}
