/**
 * Reasons in the detail `reason=` of feedback that the server counts in a way of their own; every
 * other reason is for people. They may come on an action that was closed with success before.
 */

/**
 * The server did not answer in time; the server counts it apart when it was down or late itself.
 */
export const noServerReason = "no-server";

/**
 * The device had confirmed the release and went back: `late-rollback:<trigger>`, as
 * src/policy/stability.ts names it.
 */
const lateRollbackPrefix = "late-rollback:";

/**
 * The device wanted to go back and cannot: `rollback-impossible:<why>`, for example of a lower
 * security counter.
 */
const rollbackImpossiblePrefix = "rollback-impossible:";

export type CountedReason = "no-server" | "late-rollback" | "rollback-impossible";

export interface ReadReason {
  /** Null for any other reason. */
  readonly counted: CountedReason | null;
  /** The trigger, or why it is impossible; for `late-rollback:no-server` that is `no-server`. */
  readonly trigger: string;
}

export function readReason(reason: string): ReadReason {
  if (reason === noServerReason) return { counted: "no-server", trigger: reason };
  for (const [counted, prefix] of prefixes)
    if (reason.startsWith(prefix)) return { counted, trigger: reason.slice(prefix.length).trim() };
  return { counted: null, trigger: reason };
}

const prefixes = [
  ["late-rollback", lateRollbackPrefix],
  ["rollback-impossible", rollbackImpossiblePrefix],
] as const;
