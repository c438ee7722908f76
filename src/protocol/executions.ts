/**
 * `status.execution` of feedback (hawkBit DDI v1): all of its words, of which the device says some.
 */
export const executions = [
  "closed",
  "proceeding",
  "canceled",
  "scheduled",
  "rejected",
  "resumed",
  "downloaded",
  "download",
] as const;

export type Execution = (typeof executions)[number];
