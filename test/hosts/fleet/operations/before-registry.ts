/** What migration 0014 added, for tests that make a database of before it. */
export const registryColumns = [
  "region",
  "timezone",
  "connectivity",
  "criticality",
  "bootloader",
  "battery",
  "signal",
  "running_version_key",
];
export const registryTables = ["device_registrations", "device_labels"];
