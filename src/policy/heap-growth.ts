import type { HeapRecord } from "./stability-history.ts";

/**
 * When a growing heap counts as a leak. Garbage makes single readings jump, so the lowest of each
 * period stands for it; the first period of a boot is left out, as caches fill in it.
 */
export interface HeapRule {
  readonly periodMs: number;
  /** Periods in a row of which each ended higher than the one before, 1 to 32. */
  readonly periods: number;
  /** Growth over all of them that is worth a rollback. */
  readonly growthBytesMin: number;
  /** A leak that would take longer than this to fill the memory is left to the next release. */
  readonly exhaustionMs: number;
}

export interface HeapReading {
  readonly usedBytes: number;
  readonly limitBytes: number;
}

const periodsMax = 32;

/**
 * Takes a reading into the record of this boot. `leak` says what was found, or null: the lows of
 * `periods` + 1 whole periods in a row rose each time, by `growthBytesMin` in all, and at that pace
 * the rest of the memory is used up within
 * `exhaustionMs`.
 */
export function readHeap(
  record: HeapRecord | null,
  reading: HeapReading,
  nowSeconds: number,
  rule: HeapRule | null,
): { readonly heap: HeapRecord | null; readonly leak: string | null } {
  if (rule === null || !Number.isFinite(reading.usedBytes)) return { heap: record, leak: null };
  const periodSeconds = Math.max(1, rule.periodMs / 1000);
  const nextEnd = nowSeconds + periodSeconds;
  if (record === null)
    return { heap: { periodEndsAtSeconds: nextEnd, lowBytes: null, lowsBytes: [] }, leak: null };
  if (nowSeconds < record.periodEndsAtSeconds) {
    const isWarmUp = record.lowBytes === null && record.lowsBytes.length === 0;
    if (isWarmUp) return { heap: record, leak: null };
    const lowBytes = Math.min(record.lowBytes ?? reading.usedBytes, reading.usedBytes);
    return { heap: { ...record, lowBytes }, leak: null };
  }
  const lowsMax = Math.max(1, Math.min(rule.periods, periodsMax)) + 1;
  const lows = record.lowBytes === null ? [] : [...record.lowsBytes, record.lowBytes];
  const lowsBytes = lows.slice(-lowsMax);
  const heap = { periodEndsAtSeconds: nextEnd, lowBytes: reading.usedBytes, lowsBytes };
  const isWhole = lowsBytes.length === lowsMax;
  return { heap, leak: isWhole ? leakOf(lowsBytes, reading.limitBytes, rule) : null };
}

function leakOf(lows: readonly number[], limitBytes: number, rule: HeapRule): string | null {
  const first = lows[0] ?? 0;
  const last = lows[lows.length - 1] ?? 0;
  const growthBytes = last - first;
  const isRising = lows.every((low, index) => index === 0 || low > (lows[index - 1] ?? low));
  if (!isRising || growthBytes < rule.growthBytesMin) return null;
  const growthMs = rule.periodMs * (lows.length - 1);
  const fullInMs = ((limitBytes - last) / growthBytes) * growthMs;
  if (fullInMs > rule.exhaustionMs) return null;
  const hours = (growthMs / 3600_000).toFixed(1);
  return `heap grew from ${first} to ${last} B in ${hours} h, ${limitBytes} B are full in ${Math.max(0, fullInMs / 3600_000).toFixed(1)} h`;
}
