import { type LayoutName, simulatorLayouts } from "../esp32/simulator-layout.ts";
import { type DeviceLayout, parseDeviceLayout } from "./layout.ts";

/** The flash layout of our boards with that much flash. */
export function deviceLayout(name: LayoutName): DeviceLayout {
  const parsed = parseDeviceLayout(simulatorLayouts()[name]);
  if (!parsed.ok) throw new Error(`partition table, ${name}: ${parsed.message}`);
  return parsed.layout;
}
