/** What migrations from 0014 on added, for tests that make a database of before them. */
export const laterColumns: readonly (readonly [table: string, column: string])[] = [
  ...["region", "timezone", "connectivity", "criticality", "bootloader", "battery", "signal"].map(
    (column) => ["devices", column] as const,
  ),
  ["devices", "running_version_key"],
  ["rollouts", "kept_since_service_ms"],
  ["rollouts", "rate_since_service_ms"],
  ["rollout_stages", "silent"],
  ["devices", "next_wake_at"],
  ["devices", "next_wake_service_ms"],
  ["devices", "silent_at_service_ms"],
  ...["health_failed", "battery_dropped", "approvals", "warned_rules"].map(
    (column) => ["rollout_stages", column] as const,
  ),
  ["rollout_members", "battery_before"],
  ["rollout_members", "battery_dropped"],
];
export const laterTables: readonly string[] = [
  "device_registrations",
  "device_labels",
  "policies",
  "rollout_decisions",
  "stage_approvals",
  "admission_limits",
  "counter_reports",
  "compared_devices",
  "comparisons",
  "counter_cohorts",
  "rollout_time_zones",
  "group_windows",
];
/** They look at the columns, and go before them. */
export const laterTriggers: readonly string[] = ["joined", "left", "moved"].map(
  (what) => `rollout_time_zones_${what}`,
);
