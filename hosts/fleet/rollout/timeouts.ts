/** How often a device is heard of, as far as it is known. */
export interface Habit {
  readonly pollSeconds: number;
  /** How its link is paid and reached, of the registry; null for what nobody told. */
  readonly connectivity: string | null;
}

/** A device that runs the release is missed after so long, or after so many polls. */
const silentSecondsMin = 6 * 3600;
const silentPolls = 12;

/** What a link that is slow, dear or seldom there adds to every time, as a factor. */
const patience: Readonly<Record<string, number>> = {
  wifi: 1,
  ethernet: 1,
  cellular: 4,
  metered: 4,
  satellite: 12,
};
const patienceUnknown = 2;

/** How long a device that runs the release may not be heard of; its next wake goes before this. */
export function silentSecondsOf({ pollSeconds, connectivity }: Habit): number {
  return patienceOf(connectivity) * Math.max(silentSecondsMin, silentPolls * pollSeconds);
}

function patienceOf(connectivity: string | null): number {
  return patience[connectivity ?? ""] ?? patienceUnknown;
}
