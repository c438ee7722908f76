import { failureReasons } from "../../../src/offer/failure-reasons.ts";
import { deferralReasons, rollbackReasons } from "../../../src/update/machine/reasons.ts";

/**
 * The reasons that a device has for not running a release, by the state in which the server shows
 * it: a closed list.
 */
const listed: ReadonlyMap<string, readonly string[]> = new Map<string, readonly string[]>([
  ["deferred", deferralReasons],
  ["failed", failureReasons],
  ["rolled-back", rollbackReasons],
  ["no-server", rollbackReasons],
]);

export function isListedReason(state: string, reason: string | null): boolean {
  return reason !== null && (listed.get(state)?.includes(reason) ?? false);
}
