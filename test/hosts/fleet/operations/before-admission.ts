/** Takes back what migration 0016 did, for tests that make a database of before it. */
export const undoAdmission: readonly string[] = [
  "drop table admission_limits",
  "alter table rollouts drop column rate_since_service_ms",
];
