/** Takes back what migration 0016 did, for tests that make a database of before it. */
export const undoAdmission: readonly string[] = [
  "drop table admission_limits",
  "alter table rollouts drop column rate_since_service_ms",
  "alter table devices drop column next_wake_at",
  "alter table devices drop column next_wake_service_ms",
  "alter table devices drop column silent_at_service_ms",
];
