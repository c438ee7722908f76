/** Why the previous image came back. */
export const rollbackReasons = [
  "crashed",
  "watchdog",
  // health checks of the trial
  "no-server",
  "server-refused",
  "health-check",
  "low-memory",
  "peripheral",
  "no-checks",
  "migration-failed",
  "bootloader-mode",
  "confirm-failed",
  "not-confirmed",
  // after the confirm, during the soak
  "late-rollback:watchdog",
  "late-rollback:reboots",
  "late-rollback:health",
  "late-rollback:leak",
  "late-rollback:no-server",
] as const;

export type RollbackReason = (typeof rollbackReasons)[number];

/** Nobody answered, which says nothing of the image. */
export function isSilence(reason: RollbackReason | null): boolean {
  return reason === "no-server" || reason === "late-rollback:no-server";
}

/** Why a late rollback that is needed does not come about. The server gets these words. */
export type RollbackImpossible =
  | "rollback-impossible: counter"
  | "rollback-impossible: flash-error";

export const deferralReasons = [
  "low-battery",
  "energy",
  "window-closed",
  "no-clock",
  "approval",
  "major-not-approved",
  "breaking-not-approved",
] as const;

export type DeferralReason = (typeof deferralReasons)[number];
