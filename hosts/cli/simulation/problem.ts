import type { FleetRunResult } from "./fleet-run.ts";

/**
 * The share that must end on the target of the devices whose faults all pass, in fleets large
 * enough for a share to say something.
 */
const onTargetShareMin = 0.95;
const judgedMin = 100;

/** What must not be, whatever goes wrong around the devices: the first of it, or null. */
export function problemOf({
  devices,
  countedUpdated,
  runningTarget,
}: Pick<FleetRunResult, "devices" | "countedUpdated" | "runningTarget">): string | null {
  if (countedUpdated !== runningTarget)
    return `the server counts ${countedUpdated} devices as updated, but ${runningTarget} run the release`;
  const lost = devices.filter(({ end }) => end === "lost").length;
  if (lost > 0) return `${lost} devices are lost`;
  const [silent, ...more] = devices.filter(({ end }) => end === "unexplained");
  if (silent !== undefined)
    return `${more.length + 1} devices have no reason, such as ${silent.id}: ${silent.reason}`;
  const able = devices.filter(({ lasting }) => lasting === null);
  const failed = able.find(({ end, reason }) => end !== "on-target" && reason.startsWith("failed"));
  if (failed !== undefined) return `${failed.id} failed over faults that passed: ${failed.reason}`;
  const forced = devices.find(({ end, lasting }) => end === "on-target" && lasting !== null);
  if (forced !== undefined)
    return `${forced.id} took the release in spite of its ${forced.lasting}`;
  const onTarget = able.filter(({ end }) => end === "on-target").length;
  return devices.length >= judgedMin && onTarget < onTargetShareMin * able.length
    ? `${onTarget} of the ${able.length} devices whose faults passed are on the target, ${100 * onTargetShareMin} percent must be`
    : null;
}
