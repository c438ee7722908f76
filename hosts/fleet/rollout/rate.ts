/** How fast a rollout offers its release. */
export interface OfferRate {
  readonly offersPerMinute: number;
  /** What the rate is multiplied with in each hour that the rollout runs; at least 1. */
  readonly growthPerHour: number;
  readonly offersPerMinuteMax: number;
}

export const growthPerHourMax = 100;
export const offersPerMinuteMax = 1_000_000;

/** Offers per minute, whole and at least one, after so long. */
export function rateAfter(rate: OfferRate, runsMs: number): number {
  const hours = Math.max(0, runsMs) / 3_600_000;
  const grown = rate.offersPerMinute * rate.growthPerHour ** hours;
  return Math.max(1, Math.floor(Math.min(grown, rate.offersPerMinuteMax)));
}

/** What so many offers take that begin so long after the start of the rollout. */
export function offerSeconds(rate: OfferRate | null, offers: number, sinceSeconds: number): number {
  if (rate === null) return 0;
  let seconds = 0;
  // Bounded by the offers, of which there is at least one in each minute.
  for (let left = offers; left > 0; ) {
    const perMinute = rateAfter(rate, (sinceSeconds + seconds) * 1000);
    seconds += 60 * Math.min(1, left / perMinute);
    left -= perMinute;
  }
  return Math.ceil(seconds);
}

/** Why a rate cannot be kept, or null. */
export function whyNoRate(rate: OfferRate | null): string | null {
  if (rate === null || rate.offersPerMinuteMax >= rate.offersPerMinute) return null;
  return `a rate of ${rate.offersPerMinute} offers a minute cannot grow to ${rate.offersPerMinuteMax}: give an offersPerMinuteMax that is not below offersPerMinute`;
}
