/** What is told of the windows of a rollout; `groups` that have their own are not counted. */
interface WindowsView {
  readonly lastOpensAtUnixMs: number | null;
  readonly withoutTimeZone: number;
  readonly neverOpen: number;
  readonly groups?: readonly string[];
}

/** When the devices' windows come; nothing for a rollout without. */
export function windowsLines(windows: WindowsView | null | undefined): string[] {
  if (windows == null) return [];
  const { lastOpensAtUnixMs: last, withoutTimeZone, neverOpen, groups = [] } = windows;
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
