import { formatTime } from "../command/table.ts";
import type { DeviceView } from "../server/fleet-views.ts";

/** When a device was heard last; of one that announced its next wake, that. */
export function contactText({
  lastSeenAtUnixMs,
  contact,
  nextWakeAtUnixMs,
}: Pick<DeviceView, "lastSeenAtUnixMs" | "contact" | "nextWakeAtUnixMs">): string {
  if (contact === "asleep") return `asleep until ${formatTime(nextWakeAtUnixMs)}`;
  if (contact === "silent") return `silent since ${formatTime(nextWakeAtUnixMs)}`;
  return formatTime(lastSeenAtUnixMs);
}
