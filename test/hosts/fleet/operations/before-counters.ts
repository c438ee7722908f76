/** What migration 0017 added, for tests that make a database of before it. */
export const countersTables = [
  "counter_reports",
  "compared_devices",
  "comparisons",
  "counter_cohorts",
];
