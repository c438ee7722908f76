import type { RolloutView } from "../server/fleet-views.ts";

/** When the devices' windows come, for `sluice rollout show`; nothing for a rollout without. */
export function windowsLines({ windows }: RolloutView): string[] {
  if (windows === undefined || windows === null) return [];
  const { lastOpensAtUnixMs: last, withoutTimeZone, neverOpen, groups } = windows;
  const lines =
    last === null
      ? ["windows: none of its devices has one to come"]
      : [`windows: the last device's will have come by ${new Date(last).toISOString()}`];
  if (groups.length > 0)
    lines.push(`  without the groups that have windows of their own: ${groups.join(", ")}`);
  if (withoutTimeZone > 0)
    lines.push(
      `  ${withoutTimeZone} devices wait for a time zone: sluice device set ID --timezone NAME`,
    );
  if (neverOpen > 0) lines.push(`  ${neverOpen} devices have windows that never open`);
  return lines;
}
