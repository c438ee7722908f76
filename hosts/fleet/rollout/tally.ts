import { type MemberState, memberStates } from "./member.ts";

/** How many members of a stage are in each state. */
export type StageCounts = Readonly<Record<MemberState, number>>;

/** The counters of a stage. */
export interface StageTally {
  readonly counts: StageCounts;
  /** Members that rolled back for a health check that failed. */
  readonly healthFailed: number;
  /** Updated members whose battery dropped since the offer. */
  readonly batteryDropped: number;
}

interface Believed {
  readonly acceptReported: boolean;
}

/** Members whose attempt has an outcome. */
export function attemptedCount(counts: StageCounts, rules: Believed): number {
  return succeededCount(counts, rules) + wentBackCount(counts) + counts.failed;
}

export function succeededCount(counts: StageCounts, { acceptReported }: Believed): number {
  return counts.updated + (acceptReported ? counts.reported : 0);
}

/**
 * Members that speak against the release. Those that missed the server count apart, or not at all.
 */
export function wentBackCount(counts: StageCounts): number {
  return counts["rolled-back"] + counts.unproven + counts.stuck;
}

/** Members that the stage is judged by: all but the excluded. */
export function membersCount(counts: StageCounts): number {
  return memberStates.reduce((sum, state) => sum + counts[state], 0) - counts.excluded;
}

/** Members of which something was heard since they were offered the release. */
export function reachableCount(counts: StageCounts): number {
  const { waiting, offered, withdrawn } = counts;
  return (
    membersCount(counts) - waiting - offered - withdrawn - counts["no-server"] - counts["no-link"]
  );
}
