import type { DeviceDetailView } from "../server/fleet-views.ts";

/**
 * What is known of a device beside what it runs, each with its name; what nobody told is left out.
 */
export function registryFacts(device: DeviceDetailView): [string, string][] {
  const { region, timezone, connectivity, criticality, bootloader, battery, signal } = device;
  const facts: readonly (readonly [string, string | null])[] = [
    ["region", region],
    ["timezone", timezone],
    ["link", connectivity],
    ["matters", criticality],
    ["boots by", bootloader],
    ["battery", battery === null ? null : `${battery} %`],
    ["signal", signal === null ? null : `${signal} dBm`],
    ["tags", device.tags.join(", ") || null],
    ["groups", device.groups.join(", ") || null],
  ];
  return facts.flatMap(([name, value]) => (value === null ? [] : [[name, value]]));
}
