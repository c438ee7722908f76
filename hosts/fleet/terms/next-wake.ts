/** A device tells no longer sleep. */
const sleepMsMax = 366 * 24 * 3_600_000;

const date = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d{2}:\d{2})$/;

/**
 * How long a device sleeps that tells when it wakes next: in seconds from now, or as a date of RFC
 * 3339 by its own clock. 0 for a time that is past; null for what is neither, or beyond a year.
 */
export function sleepMsOf(text: string, nowUnixMs: number): number | null {
  const isSeconds = /^\d{1,8}$/.test(text);
  if (!isSeconds && !date.test(text)) return null;
  const sleepMs = isSeconds ? Number(text) * 1000 : Date.parse(text) - nowUnixMs;
  return sleepMs <= sleepMsMax ? Math.max(0, Math.floor(sleepMs)) : null;
}
