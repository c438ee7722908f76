import type { Rollout } from "./memory.ts";

export type RolloutRefusal =
  | "unknown-release"
  | "unknown-rollout"
  | "policy-invalid"
  | "stage-holds-nobody"
  | "filter-invalid"
  | "no-eligible-devices"
  | "strands-devices"
  | "overlaps"
  | "spelled-otherwise"
  | "too-many-rollouts"
  | "wrong-state"
  | "over-threshold"
  | "stage-not-ready"
  | "needs-no-approval"
  | "approved-already";

export type RolloutResult =
  | { readonly ok: true; readonly rollout: Rollout }
  | { readonly ok: false; readonly reason: RolloutRefusal; readonly message: string };

export function refuse(
  reason: RolloutRefusal,
  message: string,
): { readonly ok: false; readonly reason: RolloutRefusal; readonly message: string } {
  return { ok: false, reason, message };
}
